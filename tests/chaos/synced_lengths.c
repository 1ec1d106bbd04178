// Preloaded into a process, notes how long each file was when it was last synced: a line of device,
// inode and bytes for every fsync and fdatasync, in the file that SYNCED_LENGTHS names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int (*sync_function)(int);

// The length is taken before: what is appended while the sync runs may not be covered by it.
static int noted(const char *name, int descriptor) {
    sync_function real = (sync_function)dlsym(RTLD_NEXT, name);
    struct stat before;
    int regular = fstat(descriptor, &before) == 0 && S_ISREG(before.st_mode);
    int result = real(descriptor);
    const char *log = getenv("SYNCED_LENGTHS");
    if (result != 0 || !regular || log == NULL) {
        return result;
    }
    int file = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) {
        char line[80];
        int length = snprintf(line, sizeof line, "%lu %lu %ld\n", (unsigned long)before.st_dev,
                              (unsigned long)before.st_ino, (long)before.st_size);
        if (write(file, line, (size_t)length) != length) {
            abort();
        }
        close(file);
    }
    return result;
}

int fsync(int descriptor) { return noted("fsync", descriptor); }

int fdatasync(int descriptor) { return noted("fdatasync", descriptor); }

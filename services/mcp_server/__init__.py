"""BAT OS for clients of the Model Context Protocol: tools, memory, Somas and personas."""

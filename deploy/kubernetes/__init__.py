"""BAT OS on Kubernetes: kustomize's manifests, and what no manifest can hold."""

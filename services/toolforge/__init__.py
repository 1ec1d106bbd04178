"""ToolForge: the tactical loop. A model writes a tool, the sandbox tries it, errors go back."""

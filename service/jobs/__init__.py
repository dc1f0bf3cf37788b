"""Studies as jobs: asked for over the interface, worked on in a process of their own, kept until they are fetched."""

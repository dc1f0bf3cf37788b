"""The bridge as a process of its own: it keeps the devices' connections and its journal, whatever becomes of the service that it serves."""

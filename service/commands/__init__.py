"""What each command of the command line does; every module is imported by its own command only."""

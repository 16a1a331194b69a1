"""What must hold for the files themselves: Home Assistant's and HACS's rules, and the project's own."""

"""Let the machine's own supervisor run a distribution, also after a reboot.

A unit of systemd, or a property list of launchd on macOS. No supervisor of ours stays behind.

Examples:
  llama service install starter --now
  llama service status
  llama service uninstall starter
"""

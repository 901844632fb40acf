"""What all searches of the web share: the tool `web_search`, its arguments, and the domains that may be found."""

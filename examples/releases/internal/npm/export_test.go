package npm

// Tarball is the rule of where archives may come from.
var Tarball = tarball

// Authorization is what an address is told.
func Authorization(c *Config, address string) string { return c.header(address).Get("Authorization") }

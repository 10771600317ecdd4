package fetch

// CheckRedirect is the client's rule of redirects.
var CheckRedirect = checkRedirect

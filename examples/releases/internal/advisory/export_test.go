package advisory

// CountLines counts lines added and removed.
var CountLines = countLines

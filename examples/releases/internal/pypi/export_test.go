package pypi

// FileVersion takes a version out of a file's name.
var FileVersion = fileVersion

// ParseIndexes reads both forms of an index and resolves what they name.
func ParseIndexes(b []byte) {
	for _, parse := range []func([]byte) ([]indexFile, error){parseJSON, parseHTML} {
		files, _ := parse(b)
		releases("x", files)
		for _, f := range files {
			f.address("https://i.example/simple/x/", "https://i.example/simple")
		}
	}
}

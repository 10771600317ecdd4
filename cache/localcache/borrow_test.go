package localcache_test

import "unsafe"

func borrowed(b []byte) string { return unsafe.String(&b[0], len(b)) }

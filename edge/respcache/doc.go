// Package respcache is a shared cache of answers (RFC 9111) as an http.Handler
// around another: what the application marks cacheable is answered from memory or
// disk, and what is not marked never is.
//
// One fetch serves all that wait for the same answer, and they get its bytes as
// they come. A client that leaves does not end what others wait for. An answer
// that turns out not to be cacheable is remembered as such for a while, so that
// requests for it do not wait for each other.
//
// What is in memory is lost with the process. What is in Options.Dir outlasts it,
// and is not synced: a file that a crash left torn is a miss. A purge has taken
// effect when it returns: no request that comes after it is answered with what was
// fetched, or had begun to be fetched, before.
package respcache

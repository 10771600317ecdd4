package s3records

// Quiet waits for what is removed in the background.
func (s *Store) Quiet() { s.background.Wait() }

package payload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Sweep deletes payloads that no message can refer to any more: those whose
// date, and the time they were stored, are more than Retention before now. It
// deletes at most limit of them, those due first first, and returns how many.
// Keys that are not of a payload's form are left alone. What one sweep leaves,
// the next takes; sweeps may run at once.
//
// A bucket on S3 itself needs none: lifecycle rules do the same, see
// doc/tasks.md.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	before := now.Add(-Retention)
	for _, folder := range []string{folderTasks, folderDelayed} {
		days := s.bucket.List(&gocloud.ListOptions{Prefix: s.prefix + folder + "/", Delimiter: "/"})
		for deleted < limit {
			day, err := days.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return deleted, fmt.Errorf("payload: sweep %s: %w", s.URL(), err)
			}
			// A day is over only when its last moment is.
			date, ok := s.day(day.Key)
			if !ok || !date.Add(24*time.Hour).Before(before) {
				continue
			}
			n, err := s.sweepDay(ctx, day.Key, before, limit-deleted)
			deleted += n
			if err != nil {
				return deleted, err
			}
		}
	}
	return deleted, nil
}

// day is the date of a listing's folder, prefix/tasks/2026-11-21/.
func (s *Store) day(key string) (time.Time, bool) {
	return dated(strings.TrimPrefix(key, s.prefix) + "x")
}

func (s *Store) sweepDay(ctx context.Context, folder string, before time.Time, limit int) (deleted int, err error) {
	objects := s.bucket.List(&gocloud.ListOptions{Prefix: folder})
	for deleted < limit {
		o, err := objects.Next(ctx)
		if errors.Is(err, io.EOF) {
			return deleted, nil
		}
		if err != nil {
			return deleted, fmt.Errorf("payload: sweep %s: %w", s.URL(), err)
		}
		// A date that a program wrote wrongly costs nobody work: the time of
		// the object counts too.
		if _, ok := dated(strings.TrimPrefix(o.Key, s.prefix)); !ok || !o.ModTime.Before(before) {
			continue
		}
		if err := s.bucket.Delete(ctx, o.Key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return deleted, fmt.Errorf("payload: sweep %s: %w", o.Key, err)
		}
		deleted++
	}
	return deleted, nil
}

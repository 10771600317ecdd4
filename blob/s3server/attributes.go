package s3server

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"
)

// partTable is the engine's attribute with the offsets of a multipart upload's
// parts, which serves reads by part number. It grows by about 5 bytes a part.
const partTable = "mp-metadata"

// attributes keeps what belongs to an object beside its content as extended
// attributes of its file. On ext4 all of one file's share one block, 4 KB, and one
// more is answered as if the disk were full. Here the two are told apart; and the
// part table, which nothing but reads by part number needs, gives way: without
// that an upload of more than some 700 parts could not be completed.
type attributes struct{ meta.XattrMeta }

func (a attributes) StoreAttribute(f *os.File, bucket, object, name string, value []byte) error {
	err := a.XattrMeta.StoreAttribute(f, bucket, object, name, value)
	tooMuch := errors.Is(err, syscall.E2BIG) || errors.Is(err, s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice))
	if !tooMuch || full(f, filepath.Join(bucket, object)) {
		return err
	}
	if name == partTable {
		return nil
	}
	return s3err.GetAPIError(s3err.ErrMetadataTooLarge)
}

// enough is the free space, in bytes, at which a disk is not the reason.
const enough = 1 << 20

func full(f *os.File, path string) bool {
	var fs syscall.Statfs_t
	var err error
	if f != nil {
		err = syscall.Fstatfs(int(f.Fd()), &fs)
	} else {
		err = syscall.Statfs(path, &fs)
	}
	return err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < enough
}

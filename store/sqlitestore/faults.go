package sqlitestore

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"countersign"
)

// The faults that an operator can do something about. They are inside what Open returns, and inside the cause of
// every error of kind countersign.ErrUnavailable that they lead to.
var (
	ErrCorrupt     = errors.New("the database file is damaged: stop the program, keep a copy of the file with its -wal and -shm, and restore a backup")
	ErrNotDatabase = errors.New("the file is not an SQLite database: point the setting at another file, or move this one away")
	ErrReadOnly    = errors.New("the database file cannot be written: give the program's user write permission on the file and its directory, and mount the volume writable")
	ErrFull        = errors.New("there is no room left for the database file: free space on its volume, or raise the quota")
	ErrDisk        = errors.New("the volume of the database file fails: look at the system's log, and move the file to a sound volume")
	ErrBusy        = errors.New("another program holds the database file's write lock: stop it, or let it finish")
	ErrCannotOpen  = errors.New("the database file cannot be opened: make sure that its directory exists and that the program's user may write there")
	ErrNewer       = errors.New("the database file was written by a newer release: start that release, or restore a backup from before the upgrade")
	ErrClosed      = errors.New("the store is closed")
)

// explain puts the fault that an operator can act on in front of SQLite's own words.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	var known error
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT:
		known = ErrCorrupt
	case sqlite3.SQLITE_NOTADB:
		known = ErrNotDatabase
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		known = ErrReadOnly
	case sqlite3.SQLITE_FULL:
		known = ErrFull
	case sqlite3.SQLITE_IOERR:
		known = ErrDisk
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		known = ErrBusy
	case sqlite3.SQLITE_CANTOPEN:
		known = ErrCannotOpen
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", known, err)
}

// unavailable is what a caller gets when the engine fails. What a move itself answers passes unchanged.
func unavailable(err error) error {
	var e *countersign.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return countersign.Unavailable(explain(err))
}

func notFound() error {
	return countersign.Fail(countersign.ErrNotFound, "There is no such verification for this app.")
}

// damaged makes a row that does not decode the trouble of the moves that need it, and of no others.
func damaged(err error) error {
	if errors.Is(err, errPacked) {
		return countersign.Unavailable(err)
	}
	return err
}

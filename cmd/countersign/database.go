package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	"countersign"
	"countersign/config"
	"countersign/metrics"
	"countersign/signing"
	"countersign/store/redisstore"
	"countersign/store/sqlitestore"
	"countersign/store/sqlstore"
)

// This file opens what an instance keeps things in: the database, the keys in it, and the store of what is in flight.

// openDatabase opens the configured database and the keys in it, making them at the first start.
func openDatabase(ctx context.Context, cfg *config.Config, opts sqlstore.Options) (*sqlstore.DB, error) {
	opts.AnswerTimeout = cfg.StoreTimeout
	opts.Retention, opts.SessionRetention = cfg.Retention.Log, cfg.Retention.Sessions
	db, err := sqlstore.Open(ctx, cfg.DatabaseURL, opts)
	if err != nil {
		return nil, aboutDatabase(cfg, err)
	}
	master, err := masterKey(cfg) // only now: the sandbox makes its key beside a database that can be used
	if err == nil {
		err = ensureKeys(ctx, db, master)
	}
	if err != nil {
		return nil, aboutDatabase(cfg, errors.Join(err, db.Close()))
	}
	return db, nil
}

// aboutDatabase names the setting and the file that an error is about. An address is not named: it may hold a password.
func aboutDatabase(cfg *config.Config, err error) error {
	path, ok := sqlitePath(cfg.DatabaseURL)
	place := cfg.Place("database_url")
	switch {
	case !ok, strings.Contains(path, "://"):
		return fmt.Errorf("%sdatabase_url: %w", place, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%sdatabase_url: %s: its directory does not exist; make it, or name a file elsewhere: %w", place, path, err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%sdatabase_url: %s: this is a directory; name a file in it: %w", place, path, err)
	}
	return fmt.Errorf("%sdatabase_url: %s: %w", place, path, err)
}

func ensureKeys(ctx context.Context, db *sqlstore.DB, master []byte) error {
	if err := db.EnsureRing(ctx, master); err != nil {
		return err
	}
	if len(db.SigningKeys()) > 0 {
		return nil
	}
	first, err := signing.NewKey(time.Now())
	if err != nil {
		return err
	}
	stored, err := storedSigningKey(first)
	if err != nil {
		return err
	}
	return db.EnsureSigning(ctx, stored)
}

func storedSigningKey(k signing.Key) (sqlstore.SigningKey, error) {
	der, err := k.PKCS8()
	if err != nil {
		return sqlstore.SigningKey{}, err
	}
	return sqlstore.SigningKey{ID: k.ID, PKCS8: der, Activates: k.Activates, Retired: k.Retired}, nil
}

// signingKeys reads what the database keeps.
func signingKeys(stored []sqlstore.SigningKey) ([]signing.Key, error) {
	keys := make([]signing.Key, 0, len(stored))
	for _, s := range stored {
		k, err := signing.ParseKey(s.PKCS8, s.Activates)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		k.Retired = s.Retired
		keys = append(keys, k)
	}
	return keys, nil
}

// runner is a part that works in the background until its context ends.
type runner func(ctx context.Context) error

// openStore opens the store of what is in flight: Redis where it is configured, else the database file.
func openStore(ctx context.Context, cfg *config.Config, db *sqlstore.DB, turn sync.Locker, m *metrics.Metrics, fault func(error)) (countersign.Store, runner, error) {
	if cfg.RedisURL == "" {
		path, ok := sqlitePath(cfg.DatabaseURL)
		if !ok {
			return nil, nil, fmt.Errorf("redis_url: Postgres keeps the log and the keys, and what is in flight needs Redis beside it; set redis_url")
		}
		// A group commit waits for the disk, and for the log's own writes to the same file.
		store, err := sqlitestore.Open(ctx, path, sqlitestore.Options{Timeout: max(cfg.StoreTimeout, time.Second), Turn: turn})
		if err != nil {
			return nil, nil, err
		}
		return store, nil, nil
	}
	opts := redisstore.Options{
		URL: cfg.RedisURL, Timeout: cfg.StoreTimeout, UnsafeAllowEviction: cfg.AllowEviction, AfterFailoverCancel: cfg.AfterFailover == "cancel",
		Mirror: mirror{db}, Fault: fault,
	}
	if m != nil {
		opts.Suspected = m.RollbackSuspected
	}
	store, err := redisstore.Open(ctx, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("%sredis_url: %w", cfg.Place("redis_url"), err)
	}
	return store, store.Run, nil
}

// mirror keeps the phones that are locked, or nearly, in the database, for a Redis that forgets.
type mirror struct{ db *sqlstore.DB }

// SaveLocks implements redisstore.Mirror.
func (m mirror) SaveLocks(ctx context.Context, locks []redisstore.PhoneLock) error {
	rows := make([]sqlstore.PhoneLock, len(locks))
	for i, l := range locks {
		rows[i] = sqlstore.PhoneLock(l)
	}
	return m.db.SaveLocks(ctx, rows)
}

// Locks implements redisstore.Mirror.
func (m mirror) Locks(ctx context.Context) ([]redisstore.PhoneLock, error) {
	rows, err := m.db.Locks(ctx)
	if err != nil {
		return nil, err
	}
	locks := make([]redisstore.PhoneLock, 0, len(rows))
	for _, r := range rows {
		if r.Until.After(time.Now()) {
			locks = append(locks, redisstore.PhoneLock(r))
		}
	}
	return locks, nil
}

package sqlstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// This file wraps secrets with the master key: AES-256-GCM with a random nonce in front, bound to the name of what
// is wrapped, so that a value moved to another row does not open.

// MasterKeySize is the size of the master key in bytes.
const MasterKeySize = 32

// ErrMasterKey is what every use of the ring fails with when the master key is not the one that wrapped it.
var ErrMasterKey = errors.New("the master key does not open this database's keys: it is not the one that they were wrapped with")

// errNoMaster is for calls that need the ring before EnsureRing has opened it.
var errNoMaster = errors.New("the key ring has not been opened: EnsureRing comes first")

type wrapper struct{ aead cipher.AEAD }

func newWrapper(master []byte) (*wrapper, error) {
	if len(master) != MasterKeySize {
		return nil, fmt.Errorf("the master key has %d bytes; it must have %d", len(master), MasterKeySize)
	}
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, fmt.Errorf("preparing the master key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing the master key: %w", err)
	}
	return &wrapper{aead}, nil
}

func (w *wrapper) wrap(name string, plain []byte) []byte {
	out := make([]byte, w.aead.NonceSize(), w.aead.NonceSize()+len(plain)+w.aead.Overhead())
	rand.Read(out) // never fails (crypto/rand, since Go 1.24)
	return w.aead.Seal(out, out, plain, []byte(name))
}

func (w *wrapper) unwrap(name string, wrapped []byte) ([]byte, error) {
	n := w.aead.NonceSize()
	if len(wrapped) < n {
		return nil, fmt.Errorf("opening %s: %w", name, ErrMasterKey)
	}
	plain, err := w.aead.Open(nil, wrapped[:n], wrapped[n:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, ErrMasterKey)
	}
	return plain, nil
}

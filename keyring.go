package countersign

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// KeyUse says what a key of the ring is for. No key serves two uses.
type KeyUse string

// The uses. Code, tag and seal keys rotate freely: a retired one stays as long as anything made with it. The
// phone key does not rotate by itself, because every count is kept under it: see PhoneRotation.
const (
	KeyCode  KeyUse = "code"  // derives codes
	KeyTag   KeyUse = "tag"   // recognises guesses
	KeySeal  KeyUse = "seal"  // AES-256-GCM for what must be given back
	KeyPhone KeyUse = "phone" // hashes addresses; the first of them clients, references and idempotency keys as well
)

// A rotation of the phone key takes PhoneRotation, in which everything about a phone is counted under both keys and the
// larger count holds. The new key takes the old one's place PhoneSwitch after it was made, when every count of the last
// PhoneWindow is under it too, with an hour to spare for nodes that heard of it late. A key's Activates is that instant.
const (
	PhoneRotation = 48 * time.Hour
	PhoneSwitch   = PhoneWindow + time.Hour
)

// PhoneRotated is when a rotation ends whose new key takes the old one's place at an instant.
func PhoneRotated(activates time.Time) time.Time { return activates.Add(PhoneRotation - PhoneSwitch) }

// KeySize is the size of every symmetric key, in bytes.
const KeySize = 32

// Key is one key of the ring. It prints without its secret.
type Key struct {
	Use       KeyUse
	ID        uint16 // grows with each rotation of its use; stored beside what the key made
	Secret    []byte // KeySize bytes
	Activates time.Time
}

// String names the key and hides the secret.
func (k Key) String() string { return fmt.Sprintf("%s/%d", k.Use, k.ID) }

// GoString hides the secret from %#v.
func (k Key) GoString() string { return k.String() }

// LogValue hides the secret from slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// NewKey draws a fresh key.
func NewKey(use KeyUse, id uint16, activates time.Time) (Key, error) {
	secret := make([]byte, KeySize)
	if _, err := rand.Read(secret); err != nil {
		return Key{}, fmt.Errorf("drawing a %s key: %w", use, err)
	}
	return Key{Use: use, ID: id, Secret: secret, Activates: activates}, nil
}

// Keyring is an immutable set of keys, newest active one first for each use. A rotation makes a new ring.
type Keyring struct {
	code, tag []macKey
	seal      []sealKey
	phone     *hashers   // the phone key in use
	other     *hashers   // the one that counts beside it, while it is rotated; nil otherwise
	former    []*hashers // all phone keys but the one in use; nil where none was ever rotated
	lookup    *hashers   // the first phone key, which is for everything that is not an address
}

// macKey is a key that derives, with its number.
type macKey struct {
	id uint16
	*hashers
}

func macKeys(list []Key) []macKey {
	keys := make([]macKey, len(list))
	for i, k := range list {
		keys[i] = macKey{k.ID, newHashers(k)}
	}
	return keys
}

// hashers make hashes with one key.
type hashers struct{ pool sync.Pool }

func newHashers(k Key) *hashers {
	secret := k.Secret
	return &hashers{sync.Pool{New: func() any { return &hasher{mac: hmac.New(sha256.New, secret)} }}}
}

// hasher is a prepared HMAC. A request makes about a dozen hashes, and to prepare one takes four times as long as to make
// it.
type hasher struct {
	mac hash.Hash
	buf []byte
}

// get gives a prepared one with nothing written to it, to be put back.
func (hs *hashers) get() *hasher {
	h := hs.pool.Get().(*hasher)
	h.mac.Reset()
	return h
}

func (hs *hashers) put(h *hasher) { hs.pool.Put(h) }

type sealKey struct {
	id   uint16
	aead cipher.AEAD
}

// NewKeyring orders keys for use at now. Every use needs one key that is active already.
func NewKeyring(keys []Key, now time.Time) (*Keyring, error) {
	r := &Keyring{}
	for _, use := range []KeyUse{KeyCode, KeyTag, KeySeal, KeyPhone} {
		current, older := ordered(keys, use, now)
		if current == nil {
			return nil, fmt.Errorf("the key ring has no active %s key", use)
		}
		list := append([]Key{*current}, older...)
		for _, k := range list {
			if len(k.Secret) != KeySize {
				return nil, fmt.Errorf("key %s has %d bytes, %d expected", k, len(k.Secret), KeySize)
			}
		}
		switch use {
		case KeyCode:
			r.code = macKeys(list)
		case KeyTag:
			r.tag = macKeys(list)
		case KeyPhone:
			r.usePhoneKeys(list, now)
		case KeySeal:
			for _, k := range list {
				block, err := aes.NewCipher(k.Secret)
				if err != nil {
					return nil, fmt.Errorf("preparing key %s: %w", k, err)
				}
				aead, err := cipher.NewGCM(block)
				if err != nil {
					return nil, fmt.Errorf("preparing key %s: %w", k, err)
				}
				r.seal = append(r.seal, sealKey{k.ID, aead})
			}
		}
	}
	return r, nil
}

// usePhoneKeys takes the phone keys, the one in use first. Beside it counts the one that is to come, or, until the
// rotation is over, the one before it.
func (r *Keyring) usePhoneKeys(list []Key, now time.Time) {
	r.phone = newHashers(list[0])
	r.lookup = r.phone
	first := list[0].ID
	for _, k := range list[1:] {
		h := newHashers(k)
		r.former = append(r.former, h)
		if k.ID < first {
			first, r.lookup = k.ID, h
		}
		coming := k.Activates.After(now)
		leaving := k.ID < list[0].ID && now.Before(PhoneRotated(list[0].Activates))
		if r.other == nil && (coming || leaving) {
			r.other = h
		}
	}
}

// ordered picks the active key with the highest id and lists the others, newest first: a key that is not active
// here yet may be in use on another node already, so it must be known for reading.
func ordered(keys []Key, use KeyUse, now time.Time) (current *Key, others []Key) {
	for i := range keys {
		k := &keys[i]
		if k.Use != use {
			continue
		}
		if !k.Activates.After(now) && (current == nil || k.ID > current.ID) {
			current = k
		}
	}
	for i := range keys {
		if keys[i].Use == use && (current == nil || keys[i].ID != current.ID) {
			others = append(others, keys[i])
		}
	}
	slices.SortFunc(others, func(a, b Key) int { return cmp.Compare(b.ID, a.ID) })
	return current, others
}

var errNoKey = errors.New("the key that made this is not in the ring")

// NewCodeFor derives a verification's code with the current key and says which key that was.
func (r *Keyring) NewCodeFor(s CodeSubject, a Alphabet, length int) (Code, uint16) {
	k := &r.code[0]
	return deriveCode(k.hashers, s, a, length), k.id
}

// CodeFor derives a verification's code again, with the key that made it first.
func (r *Keyring) CodeFor(keyID uint16, s CodeSubject, a Alphabet, length int) (Code, error) {
	for _, k := range r.code {
		if k.id == keyID {
			return deriveCode(k.hashers, s, a, length), nil
		}
	}
	return Code{}, fmt.Errorf("deriving a code with key code/%d: %w", keyID, errNoKey)
}

// Tag is a code's tag under one tag key.
type Tag struct {
	Key uint16
	Sum [TagSize]byte
}

// NewTag makes the tag that a store keeps of a new code.
func (r *Keyring) NewTag(app, id string, c Code) Tag {
	return Tag{r.tag[0].id, deriveTag(r.tag[0].hashers, app, id, c.text)}
}

// maxTags is how many tag keys a check tries: the current one and the one before it, or the one after it on a
// node that has not switched yet.
const maxTags = 2

// TagsFor makes the candidate tags of a guess, one for each live key, at most two. The store compares the one of
// the key that it holds.
func (r *Keyring) TagsFor(app, id string, g Guess) []Tag {
	n := min(len(r.tag), maxTags)
	tags := make([]Tag, n)
	for i := range n {
		tags[i] = Tag{r.tag[i].id, deriveTag(r.tag[i].hashers, app, id, g.text)}
	}
	return tags
}

// Seal encrypts what must be given back, bound to the id of what it belongs to, so that a blob moved to another
// row does not open. Layout: key id (2 bytes), nonce (12), ciphertext and tag.
func (r *Keyring) Seal(owner string, plain []byte) ([]byte, error) {
	k := r.seal[0]
	n := k.aead.NonceSize()
	out := make([]byte, 2+n, 2+n+len(plain)+k.aead.Overhead())
	binary.BigEndian.PutUint16(out, k.id)
	if _, err := rand.Read(out[2:]); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	return k.aead.Seal(out, out[2:2+n], plain, []byte(owner)), nil
}

// Open reverses Seal.
func (r *Keyring) Open(owner string, sealed []byte) ([]byte, error) {
	if len(sealed) < 2 {
		return nil, errors.New("opening a sealed value: too short")
	}
	id := binary.BigEndian.Uint16(sealed)
	for _, k := range r.seal {
		if k.id != id {
			continue
		}
		n := k.aead.NonceSize()
		if len(sealed) < 2+n {
			return nil, errors.New("opening a sealed value: too short")
		}
		plain, err := k.aead.Open(nil, sealed[2:2+n], sealed[2+n:], []byte(owner))
		if err != nil {
			return nil, fmt.Errorf("opening a sealed value: %w", err)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("opening a value sealed with key seal/%d: %w", id, errNoKey)
}

// HashSize is the size of a keyed look-up hash in bytes.
const HashSize = 16

// Hash is a keyed look-up hash: the only form in which addresses, clients and keys of callers are found again.
type Hash [HashSize]byte

// Hex is the hash in lower-case hexadecimal.
func (h Hash) Hex() string { return hex.EncodeToString(h[:]) }

// IsZero says whether there is no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// Shard is the number from 000 to fff that a verification's id carries. It decides the Redis slot, and is all
// that an id tells of its phone: one in 4096.
func (h Hash) Shard() string { return hex.EncodeToString(h[:2])[:3] }

// Look-ups are told apart by a label, so that a phone's hash says nothing about a client's.
func (hs *hashers) hash(kind, label string, parts ...string) Hash {
	h := hs.get()
	defer hs.put(h)
	h.buf = binary.BigEndian.AppendUint32(h.buf[:0], uint32(len(kind)+len(label)))
	h.buf = append(append(h.buf, kind...), label...)
	h.buf = appendPrefixed(h.buf, parts...)
	h.mac.Write(h.buf)
	h.buf = h.mac.Sum(h.buf[:0])
	return Hash(h.buf[:HashSize])
}

func (hs *hashers) phone(a Address) Hash { return hs.hash("phone", "", a.Dial()) }

// PhoneHash is the key under which everything about an address is counted, over all apps.
func (r *Keyring) PhoneHash(a Address) Hash { return r.phone.phone(a) }

// Rotating says whether the phone key is being rotated: then everything about an address is counted under two hashes.
func (r *Keyring) Rotating() bool { return r.other != nil }

// Twin is the other of the two hashes under which an address is counted while the phone key is rotated; false when it is
// not, and for a hash that is neither.
func (r *Keyring) Twin(a Address, of Hash) (Hash, bool) {
	if r.other == nil {
		return Hash{}, false
	}
	current, other := r.phone.phone(a), r.other.phone(a)
	switch of {
	case current:
		return other, true
	case other:
		return current, true
	}
	return Hash{}, false
}

// FormerHashes are an address's hashes under all phone keys but the one in use: what is kept for long may be found under
// any of them. None where the key was never rotated.
func (r *Keyring) FormerHashes(a Address) []Hash {
	if len(r.former) == 0 {
		return nil
	}
	list := make([]Hash, len(r.former))
	for i, h := range r.former {
		list[i] = h.phone(a)
	}
	return list
}

// rekeys are the ways from an address's former hashes to the one in use.
func (r *Keyring) rekeys(a Address) []Rekey {
	var list []Rekey
	for _, from := range r.FormerHashes(a) {
		list = append(list, Rekey{From: from, To: r.PhoneHash(a)})
	}
	return list
}

// LookupHash is a keyed hash of anything else that must be found or compared without being kept. It is made with the first
// phone key for ever: identifiers that were given out hang on it, and what it hides from a thief is little, or short-lived.
func (r *Keyring) LookupHash(label string, parts ...string) Hash {
	return r.lookup.hash("look-up:", label, parts...)
}

package sandbox

import (
	"log/slog"
	"sync"
	"time"
)

// inboxSize is how many messages the inbox holds; the oldest make room.
const inboxSize = 1000

// subscriberQueue is how many messages wait for a slow subscriber before some are left out for him.
const subscriberQueue = 64

// Message is what a phone would have shown. It holds the code and the number in clear: that is what an inbox is for.
// Printed or logged it shows its id only; JSON is the inbox's own shape.
type Message struct {
	ID       string    `json:"id"` // the delivery's id
	To       string    `json:"to"` // E.164, or a mailbox
	Channel  string    `json:"channel"`
	Provider string    `json:"provider"`
	Text     string    `json:"text"`
	Code     string    `json:"code"` // a flash call's is the caller's number, in E.164; "" for data verification
	At       time.Time `json:"at"`
}

// String shows the id only.
func (m Message) String() string { return "message " + m.ID }

// GoString shows the id only.
func (m Message) GoString() string { return m.String() }

// LogValue shows the id only.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Inbox keeps the newest messages. It is safe for concurrent use.
type Inbox struct {
	mu          sync.Mutex
	messages    []Message // a ring: next is the oldest once it is full
	next        int
	subscribers map[chan Message]string
}

// List returns the messages, newest first; of one number or mailbox only, unless to is "".
func (b *Inbox) List(to string) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Message, 0, len(b.messages))
	for i := len(b.messages) - 1; i >= 0; i-- {
		m := b.messages[(b.next+i)%len(b.messages)]
		if to == "" || m.To == to {
			list = append(list, m)
		}
	}
	return list
}

// Clear empties the inbox.
func (b *Inbox) Clear() {
	b.mu.Lock()
	b.messages, b.next = nil, 0
	b.mu.Unlock()
}

// Subscribe hands out every message that arrives from now on, to one number or mailbox unless to is "". Whoever reads
// too slowly misses some and finds them with List. The returned function ends it and closes the channel; it may be
// called twice.
func (b *Inbox) Subscribe(to string) (<-chan Message, func()) {
	c := make(chan Message, subscriberQueue)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subscribers == nil {
		b.subscribers = make(map[chan Message]string)
	}
	b.subscribers[c] = to
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, there := b.subscribers[c]; there {
			delete(b.subscribers, c)
			close(c)
		}
	}
}

// add puts a message in, unless one of this id is there: a message that is sent again because an answer was lost is
// the same message.
func (b *Inbox) add(m Message, again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if again && b.has(m.ID) {
		return
	}
	if len(b.messages) < inboxSize {
		b.messages = append(b.messages, m)
	} else {
		b.messages[b.next] = m
		b.next = (b.next + 1) % inboxSize
	}
	for c, to := range b.subscribers {
		if to != "" && to != m.To {
			continue
		}
		select {
		case c <- m:
		default:
		}
	}
}

// holds says whether a message of this id is there.
func (b *Inbox) holds(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.has(id)
}

func (b *Inbox) has(id string) bool {
	for i := range b.messages {
		if b.messages[i].ID == id {
			return true
		}
	}
	return false
}

package redisstore

import (
	"time"

	"countersign"
)

// isLuaWord says whether Lua or Redis give a word in capitals its meaning.
func isLuaWord(word string) bool {
	switch word {
	case "KEYS", "ARGV", "GET", "SET", "DEL", "TIME", "ZADD", "ZREM", "ZSCORE", "ZRANGE", "ZRANGEBYSCORE", "LIMIT",
		"WITHSCORES", "KEEPTTL", "PEXPIRE", "HMGET", "HSET", "MGET":
		return true
	}
	return false
}

// How long keys live beyond what the rules of the engine say.
const (
	finalKept  = 24 * time.Hour                 // an ended record that the log has not acknowledged
	indexKept  = 25 * time.Hour                 // an index after its last entry was made
	clockKept  = 31 * 24 * time.Hour            // the clock's offset after its last reader
	memoryKept = 60 * time.Second               // a request's answer
	noteAbove  = countersign.MaxPhoneChecks / 2 // guesses or wrong ones in a row, above which a phone is mirrored
)

// maxDeliveries is how many deliveries a record keeps, maxMemory how many answers.
const (
	maxDeliveries = 10
	maxMemory     = 8
)

// Results that are errors.
const (
	resultMissing = -1 // no such record, or another app's
	resultBehind  = -2 // our clock's offset or epoch is out of date
)

// Fields of a packed record, in their order.
const (
	recBlob = iota // what no script looks at: see packBlob
	recApp
	recPurpose
	recChannel
	recFace
	recStatus
	recPhone
	recCreated
	recExpires
	recEnded
	recAlphabet
	recLength
	recCode
	recTagKey
	recTag
	recHosted
	recHostedRef
	recScope
	recChecks
	recMaxChecks
	recSends
	recMaxSends
	recLease
	recCheckLease
	recJTI
	recCaller
	recDeliveries
	recSeq
	recOut
	recLast
	recEpoch
	recMemory
	recFields
)

// constants are the numbers of the scripts. Lua counts from one.
func constants() map[string]int64 {
	ms := func(d time.Duration) int64 { return d.Milliseconds() }
	c := map[string]int64{
		"MISSING": resultMissing, "BEHIND": resultBehind,
		"WINDOW": ms(countersign.PhoneWindow), "STREAK_LIFE": ms(countersign.StreakLifetime),
		"BURST_WINDOW": ms(countersign.SendsBurst), "BURST_SENDS": countersign.MaxSendsBurst, "DAY_SENDS": countersign.MaxSendsDay,
		"PHONE_GUESSES": countersign.MaxPhoneChecks, "PHONE_STREAK": countersign.MaxPhoneStreak,
		"OWN_GUESSES": countersign.MaxDeviceChecks, "OWN_SENDS": countersign.MaxDeviceSends, "MAX_DEVICES": countersign.MaxDevices,
		"DEVICE_LIFE": ms(countersign.DeviceLifetime),
		"MAX_PENDING": countersign.MaxPending, "REPEAT_WINDOW": ms(countersign.RepeatWindow),
		"CLAIM_AFTER": ms(countersign.ClaimAfter), "SETBACK": ms(countersign.MaxClockSetback),
		"COOLDOWN_1": ms(countersign.Cooldown(1)), "COOLDOWN_2": ms(countersign.Cooldown(2)),
		"COOLDOWN_3": ms(countersign.Cooldown(3)), "COOLDOWN_4": ms(countersign.Cooldown(4)),
		"ENDED_KEPT": ms(countersign.EndedRetention), "FINAL_KEPT": ms(finalKept), "INDEX_KEPT": ms(indexKept), "CLOCK_KEPT": ms(clockKept),
		"TAKE_ARGS": takeArgs, "FLAG_BEGUN": flagBegun, "FLAG_OWN_CODE": flagOwnCode,
		"MEMORY": ms(memoryKept), "MEMORY_SIZE": maxMemory, "NOTE_ABOVE": noteAbove,
		"MAX_DELIVERIES": maxDeliveries, "RANK_FINAL": int64(countersign.DeliveryDelivered.Rank()),
		"DIGITS": int64(countersign.Digits), "LETTERS": int64(countersign.Letters),
		"SHAPE_DIGITS": int64(countersign.ShapeDigits), "SHAPE_LETTERS": int64(countersign.ShapeLetters),
		"SHAPE_MIXED": int64(countersign.ShapeMixed), "SHAPE_CALLER": int64(countersign.ShapeCaller),
		"SEEN_NEVER": int64(countersign.SeenNever), "SEEN_RUNNING": int64(countersign.SeenRunning), "SEEN_DONE": int64(countersign.SeenDone),
		"SEEN_MISMATCH": int64(countersign.SeenMismatch), "SEEN_ABANDONED": int64(countersign.SeenAbandoned),
	}
	for what, word := range []string{"COUNT_GUESS", "COUNT_SEND", "COUNT_GUESS_BACK", "COUNT_SEND_BACK", "COUNT_APPROVED"} {
		c[word] = int64(what) // in the order of countersign.Counted
	}
	for status, word := range map[countersign.Status]string{
		countersign.StatusPending: "PENDING", countersign.StatusApproved: "APPROVED", countersign.StatusExpired: "EXPIRED",
		countersign.StatusFailed: "FAILED", countersign.StatusCanceled: "CANCELED",
	} {
		c[word] = int64(statusCode(status))
	}
	for word, r := range resultWords() {
		c["RES_"+word] = int64(r)
	}
	for _, list := range [][]string{recordWords(), phoneWords(), listWords(), deviceWords(), forgotWords(), memoryWords(), deliveryWords(), idempotencyWords()} {
		for i, word := range list {
			c[word] = int64(i) + 1
		}
	}
	return c
}

func resultWords() map[string]countersign.Result {
	return map[string]countersign.Result{
		"OK": countersign.OutcomeOK, "APPROVED": countersign.OutcomeApproved, "REPEATED": countersign.OutcomeRepeated,
		"INCORRECT": countersign.OutcomeIncorrect, "RESERVED": countersign.OutcomeReserved, "SHAPE": countersign.OutcomeShape,
		"CLOSED": countersign.OutcomeClosed, "EXPIRED": countersign.OutcomeExpired, "LOCKED": countersign.OutcomeLocked,
		"TOO_SOON": countersign.OutcomeTooSoon, "TOO_MANY": countersign.OutcomeTooManySends, "PENDING": countersign.OutcomePending,
		"HOSTED_TAKEN": countersign.OutcomeHostedTaken, "MISMATCH": countersign.OutcomeMismatch, "BUSY": countersign.OutcomeBusy,
		"UNKNOWN": countersign.OutcomeUnknown, "NONE": countersign.OutcomeNone,
	}
}

// recordWords are the names of the record's fields in the scripts, in the order of the constants above.
func recordWords() []string {
	return []string{
		"R_BLOB", "R_APP", "R_PURPOSE", "R_CHANNEL", "R_FACE", "R_STATUS", "R_PHONE", "R_CREATED", "R_EXPIRES", "R_ENDED",
		"R_ALPHABET", "R_LENGTH", "R_CODE", "R_TAG_KEY", "R_TAG", "R_HOSTED", "R_HOSTED_REF", "R_SCOPE", "R_CHECKS", "R_MAX_CHECKS",
		"R_SENDS", "R_MAX_SENDS", "R_LEASE", "R_CHECK_LEASE", "R_JTI", "R_CALLER", "R_DELIVERIES", "R_SEQ", "R_OUT", "R_LAST",
		"R_EPOCH", "R_MEM",
	}
}

func phoneWords() []string {
	return []string{"P_SENDS", "P_GUESSES", "P_STREAK", "P_WRONG", "P_PENDING", "P_MEM", "P_DEVICES", "P_FORGOT"}
}

func deviceWords() []string {
	return []string{"O_ID", "O_SENDS", "O_GUESSES", "O_LAST"}
}

func forgotWords() []string {
	return []string{"F_APP", "F_AT"}
}

func listWords() []string {
	return []string{"L_ID", "L_APP", "L_FACE", "L_PURPOSE", "L_HOSTED", "L_SCOPE", "L_EXPIRES"}
}

func memoryWords() []string {
	return []string{"M_KEY", "M_BODY", "M_RESULT", "M_LEFT", "M_AT"}
}

func deliveryWords() []string {
	return []string{"D_ID", "D_CHANNEL", "D_PROVIDER", "D_REF", "D_STATUS", "D_AT", "D_DETAIL"}
}

func idempotencyWords() []string {
	return []string{"I_BODY", "I_ID", "I_LEASE", "I_FIRST"}
}

// statuses and deliveryStatuses by the numbers under which they are stored: append only.
func statuses() [7]countersign.Status {
	return [...]countersign.Status{
		countersign.StatusPending, countersign.StatusApproved, countersign.StatusExpired, countersign.StatusFailed,
		countersign.StatusCanceled, countersign.StatusDenied, countersign.StatusUndeliverable,
	}
}

func statusCode(s countersign.Status) int {
	for i, known := range statuses() {
		if s == known {
			return i
		}
	}
	return -1
}

func deliveryStatuses() [6]countersign.DeliveryStatus {
	return [...]countersign.DeliveryStatus{
		countersign.DeliveryQueued, countersign.DeliveryAccepted, countersign.DeliverySent,
		countersign.DeliveryDelivered, countersign.DeliveryUndelivered, countersign.DeliveryFailed,
	}
}

func deliveryCode(s countersign.DeliveryStatus) int {
	for i, known := range deliveryStatuses() {
		if s == known {
			return i
		}
	}
	return -1
}

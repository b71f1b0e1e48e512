package infobip

import (
	"strings"

	"countersign"
)

// The groups of statuses.
const (
	groupPending       = 1
	groupUndeliverable = 2
	groupDelivered     = 3
	groupExpired       = 4
	groupRejected      = 5
)

// duplicate is said of a message whose id is known already.
const duplicate = "REJECTED_DUPLICATE_MESSAGE_ID"

// classes are the vendor's statuses that another vendor, or nobody, can do something about. Others of the group
// "rejected" are for the operator.
var classes = map[string]countersign.FailureClass{
	"REJECTED_NETWORK":                    countersign.FailTemporary, // no coverage by this vendor
	"REJECTED_ROUTE_NOT_AVAILABLE":        countersign.FailTemporary,
	"REJECTED_SYSTEM_ERROR":               countersign.FailTemporary,
	"REJECTED_FLOODING_FILTER":            countersign.FailTemporary,
	"REJECTED_DUPLICATE_MESSAGE_ID":       countersign.FailUnknown,
	"REJECTED_PREFIX_MISSING":             countersign.FailDestination,
	"REJECTED_DND":                        countersign.FailDestination, // the person asked not to be sent to
	"REJECTED_DESTINATION":                countersign.FailDestination,
	"REJECTED_DESTINATION_BLOCKLISTED":    countersign.FailDestination,
	"SIGNALS_BLOCKED":                     countersign.FailDenied, // the vendor's fraud protection
	"UNDELIVERABLE_REJECTED_PLATFORM":     countersign.FailTemporary,
	"REJECTED_DESTINATION_NOT_REGISTERED": countersign.FailOperator, // a trial account
}

func classOf(s status) countersign.FailureClass {
	if class, ok := classes[s.Name]; ok {
		return class
	}
	switch s.Group {
	case groupUndeliverable, groupExpired:
		return countersign.FailTemporary // this vendor could not; nothing says that no other can
	}
	return countersign.FailOperator
}

func detail(s status) string {
	if !constant(s.Name) {
		return "refused"
	}
	return s.Name
}

// constant says whether a text is one of the vendor's names: capitals and _, and a number of at most four digits behind.
func constant(s string) bool {
	letters := strings.TrimRight(s, "0123456789")
	return letters != "" && len(s) <= 48 && len(s)-len(letters) <= 4 && strings.Trim(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// deliveryStatus translates a report's status; false for a group that is not known.
func deliveryStatus(s status) (countersign.DeliveryStatus, bool) {
	switch s.Group {
	case groupPending:
		return countersign.DeliveryAccepted, true
	case groupUndeliverable, groupExpired:
		return countersign.DeliveryUndelivered, true
	case groupDelivered:
		if s.Name == "DELIVERED_TO_OPERATOR" {
			return countersign.DeliverySent, true
		}
		return countersign.DeliveryDelivered, true
	case groupRejected:
		return countersign.DeliveryFailed, true
	}
	return "", false
}

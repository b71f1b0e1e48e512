// Package aws sends text messages through AWS End User Messaging (SMS and Voice, version 2), signed with Signature Version
// 4, without the vendor's service packages.
//
// Credentials come from the places where AWS' own tools look for them (credentials.go). Receipts come over an Amazon SNS
// topic: each is checked against a certificate from the topic's region and against the topic's own name (sns.go).
package aws

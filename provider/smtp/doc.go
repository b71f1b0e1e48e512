// Package smtp sends codes by e-mail through a relay of the operator's.
//
// Every message is one SMTP transaction over a connection of its own, with TLS that cannot be stripped: STARTTLS is
// demanded (RFC 3207) or the connection begins with TLS (RFC 8314). DKIM, SPF and bounces are the relay's business. A
// message that the relay has answered with 250 after its final dot is taken; one whose final dot was sent and not
// answered is of unknown fate; everything before that was not sent.
package smtp

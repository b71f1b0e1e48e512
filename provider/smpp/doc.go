// Package smpp sends text messages to a message centre (SMSC) over SMPP 3.4.
//
// Run keeps one bound transceiver session: it binds again with growing pauses when the session is lost, asks after it
// with enquire_link, and never has more than a window of unanswered submits. The client is the package's own and
// minimal: the libraries that were looked at take a deliver_sm for the answer to a submit with the same sequence number,
// answer receipts before they are kept, and refuse instead of waiting when the window is full.
//
// A submit is taken when the SMSC answers it with status 0. One that was written and not answered is of unknown fate.
package smpp

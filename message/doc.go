// Package message renders what a phone shows: it implements [countersign.Texts] for one app.
//
// A text is a template with placeholders: {{code}}, {{app}}, {{minutes}}, {{payee}}, {{amount}} and {{currency}}.
// There is nothing else in the language, no outside data is ever parsed as a template, and a value that is put in is
// checked first, so that nobody can say something of his own in the app's name.
//
// There are texts in ten languages for every purpose and channel. An app may bring its own for a purpose, a channel
// and a language. [New] checks all of them and reports every mistake at once. The rules:
//
//   - A short message is one segment in the worst case, unless the app allows more (a transaction has one more,
//     because nobody chooses the letters of a payee's name).
//   - A text has no link, no telephone number and no digits that could be taken for the code. The one host in it is in
//     the last line that binds the code to a site, and only New puts it there.
//   - A transaction's text names payee, amount and currency (PSD2 RTS, article 5).
//   - The built-in texts begin with the code, which is what keyboards offer to fill in.
//
// Whether a code was sent, how and by whom is not this package's business.
package message

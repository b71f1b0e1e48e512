// Package provider gets messages to phones: it knows which routes serve a channel and a country, tries them in
// their order, and rests a route whose vendor fails.
//
// A route is one configured provider under a name. Which routes serve a channel is said by rules: those of the app,
// else the general ones, else the order in which the routes were declared. What a failure means is said by its
// class and decided here:
//
//   - temporary and operator failures go on to the next leg, with the same code;
//   - a destination that cannot be reached, and a vendor's denial, end the attempt: no other vendor would help;
//   - after a lost answer the vendor is asked what became of the message, where it can be, and then the next leg follows:
//     two messages with one code are better than none. Where no other leg takes it the message may be on its way, and
//     the attempt ends as unknown. A route that loses answer after answer is rested by its breaker.
//
// A hosted route's vendor owns the code. Only the hosted route that the store has agreed to is ever tried, and once it
// is given up, only routes that carry our own code follow.
//
// The package knows no vendor, no HTTP and no configuration file.
package provider

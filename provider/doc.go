// Package provider gets messages to phones: it knows which routes serve a channel and a country, tries them in
// their order, and rests a route whose vendor fails.
//
// A route is one configured provider under a name. Which routes serve a channel is said by rules: those of the app,
// else the general ones, else the order in which the routes were declared. What a failure means is said by its
// class and decided here, in one table (see next in dispatch.go):
//
//   - temporary and operator failures go on to the next leg, with the same code;
//   - a destination that cannot be reached, and a vendor's denial, end the attempt: no other vendor would help;
//   - a lost answer ends the attempt too, as unknown. The message may be on its way, and the provider itself looks it
//     up by its reference when the engine asks again. A route that loses answer after answer is rested by its breaker,
//     and then the next one serves.
//
// A hosted route's vendor owns the code. Only the hosted route that the store has agreed to is ever tried, and once it
// is given up, only routes that carry our own code follow.
//
// The package knows no vendor, no HTTP and no configuration file.
package provider

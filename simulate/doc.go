// Package simulate plays labelled traffic against a guard on simulated time: honest people mixed with attackers, each
// request judged by the same rules and counted by the same arithmetic as in a running instance. It says what an attack
// cost and how many honest people were turned away, before a policy is switched on.
//
// A world has a clock, a queue of what happens next, the counts of a store (guard.Counts), the bounds of each phone
// (phones.go) and a guard. People (people.go) and attackers (attackers.go) put events on the queue; each event asks the
// world for a message, and reads it or not. Scenarios (scenarios.go) are named mixtures of both. Everything is drawn from
// one seed: the same seed gives the same run, on every machine.
//
// What is simulated is people and messages. What judges them is not: the guard is the one that an instance runs.
package simulate

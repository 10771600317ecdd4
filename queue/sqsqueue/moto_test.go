package sqsqueue_test

const (
	noMoves      = "moto has no move tasks"
	noExpiry     = "on moto a receipt of a FIFO queue stays good after its visibility"
	noWaking     = "on moto only a send wakes a waiting receiver"
	noFirst      = "moto answers a duplicate with an id of its own"
	noSequence   = "moto's sequence numbers are random"
	wholeGroup   = "moto blocks a group while any of its messages is in flight"
	mixedGroups  = "moto mixes groups in a receive"
	contentScope = "moto deduplicates by content as it does by id, and over all groups"
)

// motoFails are the tests that moto is known to fail.
var motoFails = map[string]string{
	"DeadLetter/WhenCountExceeds":     "moto does not say where a dead letter came from",
	"Purge/RemovesAll":                "moto forgets the receipts of purged messages",
	"Visibility/Deleted":              "moto forgets the receipts of deleted messages",
	"Send/TooLargeForQueue":           "moto does not count attributes",
	"LongPoll/CanceledWaiterPassesOn": "moto gives a message to the client that left",

	"FIFO/SeveralOfAGroupAtOnce":       mixedGroups,
	"FIFO/GivenBackComesBeforeTheHeld": wholeGroup,
	"FIFO/OrderAfterVisibilityEnds":    wholeGroup,
	"FIFO/ZeroVisibilityHoldsNothing":  wholeGroup,
	"FIFO/SequenceGrows":               noSequence,

	"FIFOReceipt/ExpiresWithItsVisibility":  noExpiry,
	"FIFOReceipt/GivenBackExpires":          noExpiry,
	"FIFOReceipt/BatchReportsEach":          noExpiry,
	"FIFOReceipt/ChangeAfterItsVisibility":  noExpiry,
	"FIFOReceipt/WaiterWokenByDelete":       noWaking,
	"FIFOReceipt/WaiterWokenByChangeToZero": noWaking,
	"FIFOReceipt/WaitersTakeTurns":          mixedGroups,
	"FIFODelay/EndedWakesWaiter":            noWaking,
	"FIFOAttempt/RepeatedGetsTheSame":       "moto does not know attempts",

	"FIFODedup/ByID":                        noFirst,
	"FIFODedup/InOneSend":                   noFirst,
	"FIFODedup/ByContent":                   noFirst,
	"FIFODedup/IDGoesBeforeContent":         noFirst,
	"FIFODedup/IDThatIsTheContentOfAnother": noFirst,
	"FIFODedup/ScopeQueue":                  noFirst,
	"FIFODedup/ScopeGroup":                  noFirst,
	"FIFODedup/ScopeGroupByContent":         contentScope,
	"FIFODedup/Required":                    noFirst,
	"FIFODedup/Concurrent":                  noFirst,
	"FIFODurable/ReopenKeepsDuplicates":     mixedGroups,
	"FIFODurable/CrashKeepsDuplicates":      mixedGroups,

	"FIFODedup/PurgeForgets":               noSequence,
	"FIFOState/Concurrent":                 "moto hands a group to two receivers at a time",
	"FIFODeadLetter/KeepsOrderAndIDs":      noSequence,
	"FIFODeadLetter/MovedWhileLaterIsHeld": wholeGroup,
	"FIFODeadLetter/StaysADuplicate":       noFirst,

	"Move":        noMoves,
	"MoveTask":    noMoves,
	"MoveDurable": noMoves,
}

package diskqueue

import (
	"fmt"
	"strings"
)

// holeCost says what a hole cost, by what replay met of it. Before the place where
// replay starts that is nothing: what is there besides messages is in the
// checkpoint too.
func holeCost(met []*lostHole, lost int) string {
	var cost []string
	sent := 0
	for _, x := range met {
		if sent += x.sent; x.sent < 0 {
			sent = -1
			break
		}
	}
	switch {
	case lost == 1:
		cost = append(cost, "a message is lost")
	case lost > 1:
		cost = append(cost, fmt.Sprintf("%d messages are lost", lost))
	case sent >= 0:
		cost = append(cost, "no message is lost by it")
	}
	one := len(met) == 1 && met[0].one
	switch {
	case len(met) == 0:
	case one && sent == 1:
	case one && sent < 0 && undone[met[0].kind] != "":
		cost = append(cost, undone[met[0].kind], "for certain it is not known: were it a message that was sent, this is lost")
	case one && undone[met[0].kind] != "":
		cost = append(cost, undone[met[0].kind])
	case one:
		cost = append(cost, "what it recorded is not known")
	case sent < 0:
		cost = append(cost, "how many messages were sent in it is not known", undoneAny)
	default:
		cost = append(cost, undoneAny)
	}
	return strings.Join(cost, "; ")
}

const undoneAny = "what else was recorded there is undone: deletions, receives, changes of queues"

// undone is what a lost record of a kind leaves undone.
var undone = map[kind]string{
	kindCreate:     "it seems to have been the making of a queue, whose name and attributes are lost",
	kindDrop:       "it seems to have been the deletion of a queue, which is there again",
	kindAttributes: "it seems to have been a change of a queue's attributes, which is undone",
	kindTags:       "it seems to have been a change of a queue's tags, which is undone",
	kindPurge:      "it seems to have been the purge of a queue, whose messages are there again",
	kindReceive:    "it seems to have been a receive: the messages received are visible again, and counted once less",
	kindDelete:     "it seems to have been a deletion: the messages deleted are there again",
	kindVisibility: "it seems to have been a change of visibility, which is undone",
	kindMove:       "it seems to have been the move of a message to a dead-letter queue: it is in its old queue",
	kindMoveTask:   "it seems to have been the state of a move task",
	kindOpen:       "it seems to have been the mark of an opening, which is not missed",
	kindCopy:       "it seems to have been the copy of a message, which is where it was before",
	kindSend:       "it seems to have been the sending of a message",
	kindRedrive:    "it seems to have been the move of a message by a move task, which is in its old queue then, or the beginning of one before its time, which waits on",
}

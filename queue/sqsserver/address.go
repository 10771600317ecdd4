package sqsserver

import "strings"

// queueName reads a queue's name off its URL, whatever the host in it: behind
// a proxy or in a container the same queue has several addresses. A name alone
// is as good, as it is to SQS.
func (c *call) queueName(url string) (string, error) {
	if url == "" {
		return "", missingParameter("QueueUrl")
	}
	path := url
	if _, after, ok := strings.Cut(url, "://"); ok {
		_, path, _ = strings.Cut(after, "/")
	} else if !strings.Contains(url, "/") {
		return url, nil
	}
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", noSuchQueue()
	}
	account, name := path[:i], path[i+1:]
	account = account[strings.LastIndexByte(account, '/')+1:]
	if account != c.account {
		return "", noSuchQueue()
	}
	return name, nil // "" is no queue's name either
}

func (c *call) queueURL(name string) string {
	return c.baseURL(c.r) + "/" + c.account + "/" + name
}

func (c *call) arn(name string) string {
	return "arn:aws:sqs:" + c.region + ":" + c.account + ":" + name
}

// nameOfARN returns the name of a queue of this region and account.
func (c *call) nameOfARN(arn string) (string, bool) {
	return strings.CutPrefix(arn, c.arn(""))
}

// isARN reports whether a text has the six parts of an ARN, of any service.
func isARN(s string) bool {
	parts := strings.SplitN(s, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && strings.HasPrefix(parts[1], "aws") && parts[2] != "" && parts[5] != ""
}

// isFIFO reports what a queue is; its name says it.
func isFIFO(name string) bool { return strings.HasSuffix(name, ".fifo") }

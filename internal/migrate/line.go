package migrate

import (
	"errors"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// errorLine returns the line of a file that an error of one of its statements
// points to: the statement's own line, moved on by the server's position.
func errorLine(sql string, line int, err error) int {
	var server *pq.Error
	if !errors.As(err, &server) {
		return line
	}
	position, convErr := strconv.Atoi(server.Position)
	if convErr != nil || position < 1 {
		return line
	}
	// The server counts characters from 1.
	characters := []rune(sql)
	before := string(characters[:min(position-1, len(characters))])
	return line + strings.Count(before, "\n")
}

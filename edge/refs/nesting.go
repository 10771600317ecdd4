package refs

import "github.com/tdewolff/parse/v2/js"

// nesting keeps what is open in a script, to tell whether a slash begins a
// regular expression or divides. That depends on what the brackets before it
// were: after the ) of an if there is a statement, after that of a call an
// operator; after the } of a block a statement, after that of an object an
// operator (ECMA-262, section 12; the same rules in es-module-lexer).
//
// Where it is wrong, brackets do not pair up, which scan takes for a script that
// cannot be read.
type nesting struct {
	open   []bracket
	root   bracket // around all of it
	closed bracket // the one that the token before closed
	// value is true of a function or class that is one, from its keyword to its
	// body; a declaration is not.
	value bool
	head  bool // between function or class and the body
	colon bool // the latest : was that of a ? before it
}

// maxNesting bounds what is kept of one script; no person or tool writes that.
const maxNesting = 100_000

type bracket struct {
	kind    js.TokenType
	value   bool // what it encloses is a value: an object, not a block
	control bool // the ( of if, while, for or with
	cases   int  // how many ? have no : yet
	head    bool // of a function or class outside of it
	headIs  bool // value of that
}

func (n *nesting) depth() int { return len(n.open) }

func (n *nesting) inner() *bracket {
	if len(n.open) == 0 {
		return &n.root
	}
	return &n.open[len(n.open)-1]
}

// next follows a token and reports whether brackets pair up.
func (n *nesting) next(p *recent, t token) bool {
	switch t.kind {
	case js.FunctionToken, js.ClassToken:
		if !member(p, 0) {
			n.value, n.head = n.operand(p) && !n.statement(p), true
			if t.kind == js.FunctionToken && p.is(0, "async") {
				before := recent{}
				copy(before[:], p[1:])
				n.value = n.operand(&before) && !n.statement(&before)
			}
		}
	case js.QuestionToken:
		n.inner().cases++
	case js.SemicolonToken:
		n.inner().cases = 0
	case js.ColonToken:
		if p[0].kind == js.ClassToken || p[0].kind == js.FunctionToken {
			n.head = false // names of properties
		}
		if n.colon = n.inner().cases > 0; n.colon {
			n.inner().cases--
		}
	case js.OpenParenToken, js.OpenBracketToken, js.OpenBraceToken, js.TemplateStartToken:
		return n.enter(p, t.kind)
	case js.CloseParenToken:
		return n.leave(js.OpenParenToken)
	case js.CloseBracketToken:
		return n.leave(js.OpenBracketToken)
	case js.CloseBraceToken:
		return n.leave(js.OpenBraceToken)
	case js.TemplateEndToken:
		return n.leave(js.TemplateStartToken)
	}
	return true
}

func (n *nesting) enter(p *recent, kind js.TokenType) bool {
	if len(n.open) >= maxNesting {
		return false
	}
	b := bracket{kind: kind}
	switch kind {
	case js.OpenParenToken:
		switch p[0].kind {
		case js.IfToken, js.WhileToken, js.ForToken, js.WithToken:
			b.control = !member(p, 1)
		case js.AwaitToken:
			b.control = p[1].kind == js.ForToken
		}
	case js.OpenBraceToken:
		if n.head {
			b.value, n.head = n.value, false
		} else {
			b.value = n.operand(p) && !n.statement(p) && p[0].kind != js.ArrowToken || p[0].kind == js.DefaultToken
		}
	}
	b.head, b.headIs = n.head, n.value // of a function whose arguments hold others
	n.head = false
	n.open = append(n.open, b)
	return true
}

func (n *nesting) leave(kind js.TokenType) bool {
	if len(n.open) == 0 || n.open[len(n.open)-1].kind != kind {
		return false
	}
	n.closed = n.open[len(n.open)-1]
	n.open = n.open[:len(n.open)-1]
	n.head, n.value = n.closed.head, n.closed.headIs
	return true
}

// operand reports whether a value is to come after the tokens: then a slash
// begins a regular expression.
func (n *nesting) operand(p *recent) bool {
	last := p[0].kind
	switch last {
	case js.ErrorToken: // none: the beginning
		return true
	case js.CloseParenToken:
		return n.closed.control
	case js.CloseBraceToken:
		return !n.closed.value
	case js.CloseBracketToken, js.StringToken, js.TemplateToken, js.TemplateEndToken, js.RegExpToken, js.PrivateIdentifierToken,
		js.IncrToken, js.DecrToken:
		return false
	case js.OfToken: // for (x of /…/), or a name
		return js.IsIdentifier(p[1].kind) || p[1].kind == js.CloseBraceToken || p[1].kind == js.CloseBracketToken
	}
	if js.IsNumeric(last) {
		return false
	}
	if !js.IsIdentifierName(last) {
		return true // an operator, a comma, an opening bracket
	}
	if member(p, 1) {
		return false // the name of a property
	}
	switch last {
	case js.ThisToken, js.SuperToken, js.NullToken, js.TrueToken, js.FalseToken:
		return false
	case js.AwaitToken, js.YieldToken:
		return true
	}
	return js.IsReservedWord(last)
}

// statement reports whether a statement begins after the tokens, where a value
// could, too.
func (n *nesting) statement(p *recent) bool {
	switch p[0].kind {
	case js.ErrorToken, js.SemicolonToken, js.CloseParenToken, js.CloseBraceToken, js.ElseToken, js.DoToken,
		js.TryToken, js.CatchToken, js.FinallyToken, js.ExportToken, js.DefaultToken:
		return true
	case js.OpenBraceToken:
		return !n.inner().value
	case js.ColonToken: // of a label or a case, not of a property or of ? :
		b := n.inner()
		return !n.colon && !b.value && (b.kind == js.OpenBraceToken || b.kind == js.ErrorToken)
	}
	return false
}

package sqsserver

// shape is the type of an argument or of a result in the service's model: what
// it is in JSON, and with that how forms and XML spell it.
type shape struct {
	is      shapeKind
	members []member // of a structure
	of      *shape   // elements of a list, values of a map

	key, value string // what the two halves of a map's entry are called
}

type shapeKind int

const (
	isText shapeKind = iota // binary values too, which are base64 in both protocols
	isInteger
	isBoolean
	isStructure
	isList
	isMap
)

// member of a structure. Lists and maps are flattened: there is no element
// around their entries, each bears the tag.
type member struct {
	name  string // in JSON
	tag   string // in forms and XML
	shape *shape
}

var textShape = &shape{is: isText}

func textMember(name string) member    { return member{name, name, textShape} }
func integerMember(name string) member { return member{name, name, &shape{is: isInteger}} }
func booleanMember(name string) member { return member{name, name, &shape{is: isBoolean}} }

func structureShape(members ...member) *shape { return &shape{is: isStructure, members: members} }

func listMember(name, tag string, of *shape) member {
	return member{name, tag, &shape{is: isList, of: of}}
}

// attributesMember is a map whose entries have a Name and a Value.
func attributesMember(name, tag string, of *shape) member {
	return member{name, tag, &shape{is: isMap, of: of, key: "Name", value: "Value"}}
}

// tagsMember is a map whose entries have a Key and a Value.
func tagsMember(name string) member {
	return member{name, "Tag", &shape{is: isMap, of: textShape, key: "Key", value: "Value"}}
}

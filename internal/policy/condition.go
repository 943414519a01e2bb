package policy

import (
	"fmt"
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"

	"github.com/doorward/doorward/internal/auth"
)

// Condition is a `when` of a rule: an expression in CEL over request, user and
// claims, checked when it was compiled.
type Condition struct {
	program cel.Program
	sees    sight
}

// sight is what an expression looks at of a user, beyond what is always known.
type sight struct {
	claims        []string
	email, groups bool
}

// maxCost bounds what one evaluation may cost, in CEL's own units: enough for
// every comparison that a rule needs, too little to hold up a check.
const maxCost = 10_000

// conditionRequest and conditionUser are what an expression sees. A name that is
// not here is a mistake at load, not at the first request.
type conditionRequest struct {
	Method string `cel:"method"`
	Scheme string `cel:"scheme"`
	Host   string `cel:"host"`
	Path   string `cel:"path"`  // decoded, as a server behind reads it: one text for every way to write it
	Query  string `cel:"query"` // raw, without the question mark
	Client string `cel:"client"`
}

type conditionUser struct {
	ID                string   `cel:"id"`
	Email             string   `cel:"email"`
	PreferredUsername string   `cel:"preferred_username"`
	Name              string   `cel:"name"`
	Groups            []string `cel:"groups"`
	Provider          string   `cel:"provider"`
}

// Compiler reads the expressions of a file: each that is there several times once.
type Compiler struct {
	env  *cel.Env
	read map[string]*Condition
}

// NewCompiler returns a compiler that has read nothing.
func NewCompiler() (*Compiler, error) {
	env, err := cel.NewEnv(
		ext.NativeTypes(reflect.TypeFor[conditionRequest](), reflect.TypeFor[conditionUser](), ext.ParseStructTags(true)),
		cel.Variable("request", cel.ObjectType("policy.conditionRequest")),
		cel.Variable("user", cel.ObjectType("policy.conditionUser")),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
	)
	if err != nil {
		return nil, fmt.Errorf("policy: condition: %w", err)
	}
	return &Compiler{env, map[string]*Condition{}}, nil
}

// Compile reads an expression. An error in it is a *Mistake.
func (c *Compiler) Compile(expression string) (*Condition, error) {
	if known := c.read[expression]; known != nil {
		return known, nil
	}
	condition, err := compileIn(c.env, expression)
	if err == nil {
		c.read[expression] = condition
	}
	return condition, err
}

// Compile reads one expression. An error in it is a *Mistake.
func Compile(expression string) (*Condition, error) {
	c, err := NewCompiler()
	if err != nil {
		return nil, err
	}
	return c.Compile(expression)
}

func compileIn(env *cel.Env, expression string) (*Condition, error) {
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, firstMistake(issues)
	}
	if checked.OutputType() == cel.DynType {
		return nil, &Mistake{1, 1, "it has the type of a claim, which can be any; compare it, as claims.admin == true"}
	}
	if checked.OutputType() != cel.BoolType {
		return nil, &Mistake{1, 1, fmt.Sprintf("it is of type %s, and has to be true or false", checked.OutputType())}
	}
	sees, err := sightOf(checked.NativeRep())
	if err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("policy: condition: %w", err)
	}
	return &Condition{program, sees}, nil
}

// sightOf returns what an expression looks at. The claims that it names are all
// that a session keeps, so each has to be named in so many words.
func sightOf(checked *ast.AST) (sight, error) {
	var sees sight
	idents, named := 0, 0
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			if e.AsIdent() == "claims" {
				idents++
			}
		case ast.SelectKind:
			field := e.AsSelect().FieldName()
			switch variable(e.AsSelect().Operand()) {
			case "claims":
				named++
				sees.claims = append(sees.claims, field)
			case "user":
				sees.email = sees.email || field == "email"
				sees.groups = sees.groups || field == "groups"
			}
		case ast.CallKind:
			if name, ok := indexedClaim(e.AsCall()); ok {
				named++
				sees.claims = append(sees.claims, name)
			}
		}
	}))
	if idents != named {
		return sight{}, &Mistake{1, 1, "name each claim, as claims.department, claims['a-b'] or 'a-b' in claims; a session keeps no others"}
	}
	slices.Sort(sees.claims)
	sees.claims = slices.Compact(sees.claims)
	return sees, nil
}

// variable is the name of the variable that an expression is, "" of any other.
func variable(e ast.Expr) string {
	if e.Kind() != ast.IdentKind {
		return ""
	}
	return e.AsIdent()
}

// indexedClaim is the name in claims['name'] and in 'name' in claims.
func indexedClaim(call ast.CallExpr) (string, bool) {
	args := call.Args()
	if len(args) != 2 {
		return "", false
	}
	container, key := args[0], args[1]
	switch call.FunctionName() {
	case "_[_]":
	case "@in":
		container, key = key, container
	default:
		return "", false
	}
	if container.Kind() != ast.IdentKind || container.AsIdent() != "claims" || key.Kind() != ast.LiteralKind {
		return "", false
	}
	name, ok := key.AsLiteral().Value().(string)
	return name, ok
}

// Claims are the names of the top-level claims that the condition looks at.
func (c *Condition) Claims() []string { return c.sees.claims }

// holds evaluates the condition on one reading of the path. An error, such as a
// claim that is not there, denies, and so does what is not known: many conditions
// say whom to keep out, and an empty list would let them in.
func (c *Condition) holds(req *auth.Request, user *auth.User, path string) (auth.Reason, bool) {
	if c.sees.email && user.Email == "" || c.sees.groups && user.GroupsUnknown {
		return auth.ConditionError, false
	}
	query := req.Query
	if query != "" {
		query = query[1:]
	}
	if path == req.Path {
		if decoded, _ := decode(path); canonical(path) {
			path = decoded
		}
	}
	client := ""
	if req.Client.IsValid() {
		client = req.Client.String()
	}
	claims := user.Claims
	if claims == nil {
		claims = map[string]any{}
	}
	result, _, err := c.program.Eval(map[string]any{
		"request": conditionRequest{req.Method, req.Scheme, req.Host, path, query, client},
		"user":    conditionUser{user.ID, user.Email, user.PreferredUsername, user.Name, user.Groups, user.Provider},
		"claims":  claims,
	})
	if err != nil {
		return auth.ConditionError, false
	}
	if holds, ok := result.Value().(bool); !ok || !holds {
		return auth.ConditionFailed, false
	}
	return auth.Admitted, true
}

; Later patterns are the more special ones.
(identifier) @variable

(comment) @comment
(string) @string
(escape) @escape
[(integer) (quantity)] @number
[(ipv4) (ipv6) (mac)] @constant

["import" "const" "param" "def" "header" "union" "defmap" "defprogram" "test" "let"] @keyword
["match" "default" "from" "if" "else" "with" "expect" "packet" "hex" "pcap" "times" "rule" "for"] @keyword
["xsk" "redirect" "except" "goto" "count" "delete" "set" "swap" "push" "pop" "encap" "decap" "emit" "sample" "metadata"
 "add" "to" "asm"] @keyword
["on" "at" "most" "end" "of" "when" "pad" "then" "where" "size" "payload" "inner" "per" "burst"] @keyword
["and" "or" "not" "in" "any"] @keyword.operator
[(verdict) (continue)] @keyword.return
"exceeds" @function.builtin

[(arrow) "=" "+=" "-=" "==" "!=" "<=" ">=" "<" ">" "|" "^" "&" "<<" ">>" "+" "-" "*" "/" "%" "~" ".."] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ";" ":" "."] @punctuation.delimiter

(instruction) @embedded

; Names by what they name
(type (identifier) @type)
(array_type (identifier) @type)
(defmap kind: (identifier) @type)
(member_expression member: (identifier) @property)
(field name: (identifier) @property)
(member name: (identifier) @property)
(type_member name: (identifier) @property)
(named_element name: (identifier) @property)
(argument name: (identifier) @property)
(attribute name: (identifier) @attribute)
(dotted (identifier) @type)
(inner header: (identifier) @type)
(pop header: (identifier) @type)
(call function: (identifier) @function)
(use definition: (identifier) @function)
(def name: (identifier) @function)
(defprogram name: (identifier) @module)
(goto program: (identifier) @module)
(test program: (identifier) @module)
(const name: (identifier) @constant)
(let name: (identifier) @variable)
(param name: (identifier) @variable.parameter)
(parameters (identifier) @variable.parameter)

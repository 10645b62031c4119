// The language for editors that read sources with tree-sitter. xdpf.ebnf is the grammar; this one takes a little more
// (keywords as names where nothing else can stand, any attribute), and nothing less. `tree-sitter generate` makes the parser.

// Loosest first.
const level = { or: 1, and: 2, not: 3, compare: 4, bitor: 5, bitxor: 6, bitand: 7, shift: 8, sum: 9, product: 10, unary: 11, postfix: 12 };

// Never names.
const reserved = [
  'abort', 'and', 'any', 'asm', 'const', 'continue', 'count', 'decap', 'def', 'default', 'defmap', 'defprogram', 'delete',
  'drop', 'else', 'emit', 'encap', 'expect', 'goto', 'if', 'import', 'in', 'let', 'match', 'not', 'or', 'param', 'pass',
  'pop', 'push', 'redirect', 'sample', 'set', 'swap', 'test', 'tx', 'union', 'with', 'xsk',
];

// Words with a place of their own, names elsewhere.
const contextual = [
  'at', 'burst', 'end', 'except', 'for', 'from', 'hex', 'inner', 'most', 'of', 'on', 'pad', 'payload', 'pcap', 'per',
  'rule', 'size', 'then', 'times', 'to', 'when', 'where',
];

const list = (rule) => seq(rule, repeat(seq(',', rule)));
const trailing = (rule) => seq(rule, repeat(seq(',', rule)), optional(','));
const separator = optional(choice(',', ';'));

module.exports = grammar({
  name: 'xdpf',

  extras: ($) => [/[\s\uFEFF]/, $.comment],

  word: ($) => $.identifier,

  conflicts: ($) => [
    // { f(x) } behind `def … =` is a set, { f(x); } a block; { x = 1 } and { x = 1; } likewise.
    [$.set, $.block],
    [$._primary, $.use],
    [$._primary, $._place],
    [$._place, $._field_name],
    [$.add, $._primary],
    // `at : u8` is the next field, `at 4` the place of this one; a type may be called `end`.
    [$.field],
    [$.field, $._name],
  ],

  rules: {
    source_file: ($) => repeat($._declaration),

    _declaration: ($) =>
      choice($.import, $.const, $.param, $.def, $.header, $.union, $.defmap, $.defprogram, $.test, $._rule),

    import: ($) => seq('import', field('path', $.string)),
    const: ($) => seq('const', field('name', $._name), '=', field('value', $._value)),
    param: ($) =>
      seq('param', field('name', $._name), ':', field('type', $._type), '=', field('value', $._operand),
        optional(seq('in', field('bounds', choice($.set, $.range, $._operand))))),
    def: ($) =>
      seq('def', field('name', $._name), optional($.parameters), '=', field('body', choice($._value, $._plain_action))),
    parameters: ($) => seq('(', optional(list($._name)), ')'),

    // Headers

    header: ($) => seq('header', field('name', $.dotted), repeat($._clause), '{', repeat(seq($.field, separator)), '}'),
    _clause: ($) =>
      choice($.on_clause, $.list_clause, $.end_clause, $.pad_clause, $.then_clause, $.where_clause, $.size_clause,
        $.payload_clause, $.inner_clause),
    on_clause: ($) => seq('on', $._expression),
    list_clause: ($) => seq('in', $.dotted, 'at', 'most', $._operand),
    end_clause: ($) => seq('end', 'when', $._expression),
    pad_clause: ($) => seq('pad', 'when', $._expression),
    then_clause: ($) => seq('then', field('field', $._word)),
    where_clause: ($) => seq('where', $._expression),
    size_clause: ($) => seq('size', '=', $._expression),
    payload_clause: ($) => seq('payload', 'when', $._expression),
    inner_clause: ($) => seq('inner', list($.inner)),
    inner: ($) => seq(field('header', $._name), optional(seq('when', $._expression))),
    field: ($) =>
      seq(field('name', $._field_name), ':',
        choice(
          seq(field('type', $._type), optional(seq('at', $._expression)), optional(seq('when', $._expression)),
            optional($.parts), optional(seq('=', field('default', $._expression)))),
          seq('end', 'of', choice($._word, $.integer), 'at', 'most', $._expression))),
    parts: ($) => seq('{', repeat(seq($.field, separator)), '}'),

    union: ($) => seq('union', field('name', $._name), '{', repeat(seq($.member, separator)), '}'),
    member: ($) => seq(field('name', $._field_name), ':', field('fields', $._expression)),

    // Maps and programs

    defmap: ($) =>
      seq('defmap', field('name', $._name), ':', field('kind', $._name),
        optional(seq('<', field('key', $._type), optional(seq($.arrow, field('value', $._type))), '>')),
        optional(seq('[', field('entries', $._expression), ']')), optional($.attributes),
        optional(choice(seq('=', field('contents', $.set)), seq('from', field('file', $.string))))),
    attributes: ($) => seq('(', optional(list($.attribute)), ')'),
    attribute: ($) => seq(field('name', $._name), optional(seq('=', choice($.verdict, $.verdicts, $._value)))),
    verdicts: ($) => seq('{', trailing($.verdict), '}'),

    _type: ($) => choice($.type, $.array_type, $.tuple_type, $.struct_type),
    type: ($) => prec.right(seq($._name, repeat(seq('.', $._word)))),
    array_type: ($) => seq($._name, '[', $._expression, ']'),
    tuple_type: ($) => seq('(', list($._type), ')'),
    struct_type: ($) => seq('{', repeat1(seq($.type_member, separator)), '}'),
    type_member: ($) => seq(field('name', $._field_name), ':', field('type', $._type)),

    defprogram: ($) =>
      seq('defprogram', field('name', $._name), optional(seq('on', field('place', $._name))), optional($.attributes),
        $.rules),
    rules: ($) => seq('{', repeat($._rule), '}'),

    _rule: ($) => choice($.match, $.match_from, $.default, $.assembly),
    match: ($) =>
      seq('match', field('condition', $._expression), choice(seq($.arrow, field('action', $._action)), $.rules)),
    match_from: ($) => seq('match', 'from', field('file', $.string)),
    default: ($) => seq('default', $.arrow, field('action', $._action)),
    arrow: () => choice('->', '→'),

    // Actions

    _action: ($) => choice($._plain_action, $.add, $.assignment, $.use),
    _plain_action: ($) =>
      choice($.verdict, $.continue, $.xsk, $.redirect, $.goto, $.count, $.delete, $.let, $.set_field, $.swap, $.push,
        $.pop, $.encap, $.decap, $.emit, $.sample, $.metadata, $.if, $.assembly, $.block),
    verdict: () => choice('pass', 'drop', 'abort', 'tx'),
    continue: () => 'continue',
    xsk: ($) =>
      prec.right(seq('xsk', optional(seq(field('map', $._map_name), optional($.key))),
        optional(seq('else', field('otherwise', $._action))))),
    redirect: ($) =>
      prec.right(seq('redirect', field('map', $._name), '[', choice($._expression, seq('*', optional(seq('except', $._name)))),
        ']', optional(seq('else', field('otherwise', $._action))))),
    goto: ($) => seq('goto', field('program', $._name)),
    count: ($) => prec.right(seq('count', field('map', $._name), optional($.key))),
    delete: ($) => seq('delete', field('map', $._name), $.key),
    let: ($) => seq('let', field('name', $._name), '=', field('value', $._expression)),
    set_field: ($) => seq('set', field('field', $._place), '=', field('value', $._expression)),
    swap: ($) => seq('swap', $._place, ',', $._place),
    push: ($) => seq('push', $.layer),
    pop: ($) => seq('pop', field('header', $._name)),
    encap: ($) => seq('encap', $._layers),
    decap: ($) => seq('decap', field('header', $.dotted)),
    emit: ($) => seq('emit', field('map', $._name), $.set),
    sample: ($) => prec.right(seq('sample', field('map', $._name), optional(seq('[', $._expression, ']')))),
    metadata: ($) => seq('metadata', $.set),
    if: ($) =>
      prec.right(seq('if', field('condition', $._expression), $.block, optional(seq('else', choice($.if, $.block))))),
    block: ($) => seq('{', repeat(seq($._action, optional(';'))), '}'),
    add: ($) => seq('add', field('value', choice($.set, $._expression)), 'to', field('map', $._name)),
    assignment: ($) =>
      seq(field('target', $._place), choice('=', '+=', '-='), field('value', choice($.set, $._expression))),
    // What can be written to: an entry of a map, a field.
    _place: ($) =>
      choice($._name, alias(choice('add', 'metadata'), $.identifier), alias($._place_member, $.member_expression),
        alias($._place_index, $.index)),
    _place_member: ($) => seq(field('of', $._place), '.', field('member', $._word)),
    _place_index: ($) => seq(field('of', $._place), '[', list($._expression), ']'),
    use: ($) => prec.right(seq(field('definition', $._name), optional($.arguments))),
    key: ($) => seq('[', list($._expression), ']'),

    // Up to the brace that closes it; braces in comments do not count.
    assembly: ($) => seq('asm', '{', optional($.instructions), '}'),
    instructions: ($) => repeat1(choice($.instruction, $.braces)),
    braces: ($) => seq('{', optional($.instructions), '}'),
    instruction: () => token(prec(-1, /[^{}#\s][^{}#\n]*/)),

    // Tests

    test: ($) =>
      seq('test', field('name', $.string), optional(seq('for', field('program', $._name))), '{',
        repeat(seq($._statement, optional(';'))), '}'),
    _statement: ($) => choice($.packet, $.with, $.expect),
    packet: ($) => seq('packet', $._packet, optional(seq('times', $._expression))),
    _packet: ($) => choice(seq('hex', $.string), seq('pcap', $.string), $._layers),
    with: ($) => seq('with', field('name', $._name), '=', field('value', choice($.set, $._expression))),
    expect: ($) =>
      seq('expect', choice($._plain_action, $._expression, seq('packet', $._packet),
        seq('rule', choice($._literal, $._name)))),
    _layers: ($) => seq($.layer, repeat(seq('/', $.layer))),
    layer: ($) => prec.right(seq(field('header', $.dotted), optional($.arguments))),
    arguments: ($) => seq('(', optional(list($.argument)), ')'),
    argument: ($) => seq(optional(seq(field('name', $._field_name), '=')), field('value', $._expression)),

    // Expressions

    _value: ($) => choice($.set, $.range, $._expression),
    set: ($) => prec.dynamic(1, seq('{', optional(trailing($._element)), '}')),
    _element: ($) =>
      choice($.named_element, $.mapped_element, $.range, $._expression),
    named_element: ($) => seq(field('name', $._field_name), '=', field('value', $._expression)),
    mapped_element: ($) => seq(field('key', choice($.range, $._expression)), $.arrow, field('value', choice($.set, $._expression))),
    range: ($) => seq(field('first', $._operand), '..', field('last', $._operand)),

    _expression: ($) => choice($.logical_expression, $.not_expression, $.comparison, $._operand),
    logical_expression: ($) =>
      choice(
        prec.left(level.or, seq($._expression, 'or', $._expression)),
        prec.left(level.and, seq($._expression, 'and', $._expression))),
    not_expression: ($) => prec(level.not, seq('not', $._expression)),
    comparison: ($) =>
      choice(
        prec(level.compare, seq($._operand, choice('==', '!=', '<=', '<', '>=', '>'), choice($.set, $._operand))),
        prec(level.compare, seq($._operand, 'in', choice($.set, $.range, $._operand)))),
    _operand: ($) => choice($.binary_expression, $.unary_expression, $._postfix),
    binary_expression: ($) =>
      choice(
        ...[['|', 'bitor'], ['^', 'bitxor'], ['&', 'bitand'], ['<<', 'shift'], ['>>', 'shift'], ['+', 'sum'], ['-', 'sum'],
          ['*', 'product'], ['/', 'product'], ['%', 'product']].map(([operator, at]) =>
          prec.left(level[at], seq($._operand, operator, $._operand)))),
    unary_expression: ($) => prec(level.unary, seq(choice('-', '~', 'any'), $._operand)),
    _postfix: ($) => choice($._primary, $.member_expression, $.index),
    member_expression: ($) => prec.left(level.postfix, seq(field('of', $._postfix), '.', field('member', $._word))),
    index: ($) =>
      prec.left(level.postfix,
        seq(field('of', $._postfix), '[', choice(seq($._expression, ':', $._expression), list($._expression)), ']')),
    _primary: ($) =>
      choice($._literal, $.string, $._name, alias(choice('header', 'packet', 'add', 'metadata'), $.identifier), $.call,
        $.pcap, $.exceeds, $.tuple),
    call: ($) => prec(level.postfix, seq(field('function', $._name), $.arguments)),
    pcap: ($) => seq('pcap', $.string),
    exceeds: ($) =>
      seq('exceeds', '(', $._expression, optional(seq('per', $._expression)), optional(seq(',', 'burst', $._expression)), ')'),
    tuple: ($) => seq('(', list($._expression), ')'),

    // Names

    dotted: ($) => prec.right(seq($._name, repeat(seq('.', $._word)))),
    _name: ($) => choice($.identifier, alias(choice(...contextual), $.identifier)),
    _map_name: ($) => $._name,
    _word: ($) =>
      choice($._name, alias(choice('header', 'packet', 'add', 'metadata', 'exceeds', ...reserved), $.identifier)),
    // What an operator would be taken for is left out.
    _field_name: ($) =>
      choice($._name, alias(choice('header', 'packet', 'add', 'metadata', 'exceeds',
        ...reserved.filter((word) => !['and', 'or', 'in', 'not', 'any'].includes(word))), $.identifier)),

    // Tokens

    identifier: () => /[A-Za-z_][A-Za-z0-9_]*/,
    comment: () => token(/#[^\n]*/),
    string: ($) => seq('"', repeat(choice(token.immediate(prec(1, /[^"\\\n]+/)), $.escape)), token.immediate('"')),
    escape: () => token.immediate(/\\./),
    _literal: ($) => choice($.integer, $.quantity, $.ipv4, $.ipv6, $.mac),
    integer: () => token(choice(/0[xX][0-9A-Fa-f][0-9A-Fa-f_]*/, /0[bB][01][01_]*/, /[0-9][0-9_]*/)),
    quantity: () =>
      token(seq(choice(/0[xX][0-9A-Fa-f][0-9A-Fa-f_]*/, /0[bB][01][01_]*/, /[0-9][0-9_]*/), choice('/s', 'ns', 'us', 'ms', 's'))),
    ipv4: () => token(/[0-9]+(\.[0-9]+)+(\/[0-9]+)?/),
    ipv6: () =>
      token(seq(
        choice(
          /([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}/,
          /([0-9A-Fa-f]{1,4}:){6}[0-9]+(\.[0-9]+){3}/,
          /([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*)?::([0-9A-Fa-f]{1,4}:)*[0-9]+(\.[0-9]+){3}/,
          /([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*)?::([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*)?/),
        optional(/\/[0-9]+/))),
    mac: () => token(/[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}/),
  },
});

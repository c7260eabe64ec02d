"""What a mutant may be: a selection of cosmic-ray's operators, and two of our own.

Goals: every mutant is a mistake that a person could make: a bound moved by one, a comparison the
wrong way, a condition turned round, a statement forgotten. Cosmic-ray replaces every operator by
every other one; of those only the nearest is taken, because `<<` for `+` proves little and costs
as much. Left out are mutants that fail at once and would only flatter the score: a constant or
an attribute that is never set.
"""

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator

_COMPARISONS = (
    "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt",
    "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is",
)  # fmt: skip
_BINARIES = (
    "Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_FloorDiv",
    "BitAnd_BitOr", "BitOr_BitAnd", "BitXor_BitAnd", "LShift_RShift", "RShift_LShift",
)  # fmt: skip
_UNARIES = ("Delete_USub", "Delete_Invert", "Delete_Not")
_OTHERS = (
    "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr",
    "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
    "NumberReplacer", "RemoveDecorator", "ZeroIterationForLoop",
)  # fmt: skip


_SWAPS = {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|="}


class ForgetStatement(Operator):
    """A call or an assignment inside a function becomes `pass`."""

    def mutation_positions(self, node):
        """Statements that stand alone and whose absence does not raise by itself."""
        if node.type == "simple_stmt" and _can_be_forgotten(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node, index):
        """`pass`, where the statement was."""
        prefix = node.get_first_leaf().prefix
        node.children[0] = parso.python.tree.Keyword("pass", node.start_pos, prefix)
        return node

    @classmethod
    def examples(cls):
        """For cosmic-ray's own tests."""
        return (Example("def f():\n    g()\n", "def f():\n    pass\n"),)


class SwapAugmented(Operator):
    """`+=` and `-=` change places, and so do `|=` and `&=`."""

    def mutation_positions(self, node):
        """The operator itself."""
        if node.type == "operator" and node.value in _SWAPS:
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """The other operator of the pair."""
        node.value = _SWAPS[node.value]
        return node

    @classmethod
    def examples(cls):
        """For cosmic-ray's own tests."""
        return (Example("x += 1", "x -= 1"),)


def operators():
    """Every operator by its name."""
    names = [f"ReplaceComparisonOperator_{pair}" for pair in _COMPARISONS]
    names += [f"ReplaceBinaryOperator_{pair}" for pair in _BINARIES]
    names += [f"ReplaceUnaryOperator_{change}" for change in _UNARIES]
    found = {name: get_operator(f"core/{name}")() for name in (*names, *_OTHERS)}
    return {**found, "ForgetStatement": ForgetStatement(), "SwapAugmented": SwapAugmented()}


def positions(source, operator):
    """Line of every occurrence of an operator, in the order in which it can be applied."""
    return [
        position[0][0]
        for node in ast_nodes(get_ast(source))
        for position in operator.mutation_positions(node)
    ]


def mutate(source, operator, occurrence):
    """The source with one mutation."""
    return MutationVisitor.mutate_code(source, operator, occurrence)


def _can_be_forgotten(statement):
    function = parso.tree.search_ancestor(statement, "funcdef")
    if function is None:
        return False
    if statement.type == "atom_expr":
        return True
    # An attribute that is never set, or a local name, fails at once.
    return statement.type == "expr_stmt" and function.name.value != "__init__"

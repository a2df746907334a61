"""What definitions need of a program, told by reading it."""

import ast

import pytest

from pygpt.isolation.reading.needed import flat, judge

PARTS = ("GPT", "train_step")
# Programs; the lines with a mark must be kept, the others must not.
PROGRAMS = {
    "a name, and what it is made of": """
        a = make()  #
        b = [a] + sorted(a)  #
        other = make()
        def GPT(x=b): pass  #
    """,
    "used in a body, in a class, in a comprehension": """
        a, (b, *c) = make()  #
        d = 1  #
        e: int = f()  #
        class GPT:  #
            e = e
            def forward(self): return [a + i for i in c if d]
    """,
    "names of a body are its own": """
        x = read()
        def GPT(x):  #
            y = x
            return [h for h in y]
        y = h = plot()
    """,
    "a call on it, a store into it, a deletion": """
        table = {}  #
        table["a"] = 1  #
        table.update(b=2)  #
        del table["b"]  #
        table["c"] += 1  #
        tables = {}
        tables["a"] = 1
        def GPT(): return table  #
    """,
    "its attributes, a patch of the class": """
        class GPT: pass  #
        def forward(self): pass  #
        GPT.forward = forward  #
        setattr(GPT, "backwards", forward)  #
        print(GPT)
    """,
    "a loop that fills": """
        ids = {}  #
        for i, c in enumerate(letters()):  #
            if c in ids: continue
            ids[c] = i
        for i in range(3):
            print(ids)
        def GPT(): return ids  #
    """,
    "a function that fills, deep down": """
        kinds, device = {}, None  #
        def register(name):  #
            def inner(cls): keep(name, cls); return cls
            return inner
        def keep(name, cls): kinds[name] = cls  #
        def choose():  #
            global device
            device = "cpu"
        choose()  #
        @register("a")
        class A: pass  #
        keep("b", A)  #
        print("done")
        def GPT(): return kinds, device  #
    """,
    "if, with, try": """
        import torch  #
        if torch.cuda.is_available():  #
            device = "cuda"  #
            print(device)
        elif mps():  #
            device = "mps"  #
        else:
            device = "cpu"  #
        try:  #
            import fast  #
            plot()
        except ImportError:
            fast = None  #
        with open("a") as f:  #
            text = f.read()  #
            plot(texts)
        with open("b") as g:
            g.read()
        if plots:
            plot()
        def GPT(): return device, fast, text  #
    """,
    "a training is never needed": """
        history = []  #
        steps = 0  #
        def train_step(model, optimizer, x, y):  #
            global steps
            steps += 1
            history.append(x)
            loss(model(x), y).backward()
        def train(model): train_step(model, 1, 2, 3)  #
        class Trainer:  #
            def run(self): train(1)
        model = GPT(4)
        train(model)
        for _ in range(14_000): train_step(model, 1, 2, 3)
        Trainer().run()
        losses = [train_step(model, 1, 2, 3) for _ in range(3)]
        history += losses  # it fails, for there are no losses
        def GPT(n): return history  #
    """,
    "what makes a step is no training": """
        def make(clip):  #
            def step(m, o, x, y): loss(m(x), y).backward()
            return step
        train_step = make(1.0)  #
        train_step = torch.compile(train_step)  #
        GPT = lambda: train_step(1, 2, 3, 4)  #
    """,
    "settings of a library, with what is there": """
        import torch, sys  #
        seed = 3
        torch.set_default_dtype(torch.float64)  #
        torch.backends.cudnn.deterministic = True  #
        sys.path.append("..")  #
        torch.manual_seed(seed)
        torch.save(model.state_dict(), "a.pt")
        model = GPT()
        class GPT: pass  #
    """,
    "what may do anything": """
        exec("a = 1")  #
        globals()["b"] = 2  #
        a = 3
        def GPT(): pass  #
    """,
    "handed to a function for the effect": """
        import random  #
        letters = list("abc")  #
        random.shuffle(letters)  #
        fill(letters)  #
        device = "cpu"  #
        model = GPT()
        model.to(device)
        def GPT(): return letters, device  #
    """,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_kept(program: str) -> None:
    lines = [line.removeprefix(" " * 8) for line in program.strip("\n").split("\n")]
    statements = list(flat(judge(ast.parse("\n".join(lines)).body, PARTS)))
    wrong = [lines[s.node.lineno - 1] for s in statements if s.kept is not ("#" in lines[s.node.lineno - 1])]
    assert wrong == []


def test_of_a_neighbour_all_names_are_needed() -> None:
    program = "import a\nx = make()\nprint(x)\ndef f(): g().backward()\ny = f()\nx.update(y)\n"
    assert [s.kept for s in judge(ast.parse(program).body, None)] == [True, True, False, True, False, True]


def test_what_a_later_python_knows_is_no_error() -> None:
    statements = judge(ast.parse("return 1\nawait f()\nasync with x: pass\nnonlocal z\n").body, PARTS)
    assert not any(s.kept for s in statements)

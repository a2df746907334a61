"""One history as R, Excel and others write it: train and validation loss of three epochs, to five decimals."""

import json

WIDE = [(1, 1.75676, 1.73407), (2, 1.51799, 1.70134), (3, 1.47003, 1.68795)]
PARTS = ("train", "valid")
EXPECTED = {(e, part): value for e, *both in WIDE for part, value in zip(PARTS, both, strict=True)}
LONG = [(part, e, value) for e, *both in WIDE for part, value in zip(PARTS, both, strict=True)]


def wide(
    sep: str = ",", header: str = "epoch train valid", start: str = "", line: str = "{e} {t} {v}", end: str = "\n"
) -> str:
    lines = [header, *(line.format(e=e, t=t, v=v) for e, t, v in WIDE)]
    return start + "".join(words.replace(" ", sep) + end for words in lines)


def comma(text: str) -> str:
    return text.replace(".", ",")


def across(part: int) -> str:
    return ",".join(str(row[part]) for row in WIDE)


RECORDS = {part: [{"loss": row[i]} for row in WIDE] for i, part in enumerate(PARTS, 1)}
ROWS = [{"epoch": e, "train": t, "valid": v} for e, t, v in WIDE]
HISTORIES = {
    "ours": wide(),
    # write.csv: row names, quoted headers, the course's columns and its perplexities
    "write.csv": wide(",", '"" "Epoca" "Loss_Treino" "Loss_Valid" "PPL_Valid"', line='"{e}" {e} {t} {v} 5.66'),
    "write.csv2": comma(wide(";", '"" "Epoca" "Loss_Treino" "Loss_Valid"', line='"{e}" {e} {t} {v}')),
    # write.table: row names, and a header one field short
    "write.table": wide(" ", '"epoch" "train" "valid"', line='"{e}" {e} {t} {v}'),
    "write.table, dec = ','": comma(wide(" ", '"epoch" "train" "valid"', line='"{e}" {e} {t} {v}')),
    "write.table, sep = tab": wide("\t", '"epoch" "train" "valid"', line='"{e}" {e} {t} {v}'),
    "write.table, col.names = NA": wide("\t", '"" "epoch" "train" "valid"', line='"{e}" {e} {t} {v}'),
    "write_tsv": wide("\t"),
    # write.csv(luz::get_metrics(fitted)), with an accuracy
    "luz": '"","set","metric","epoch","value"\n'
    + "".join(f'"1","{part}","loss",{e},{x}\n"2","{part}","acc",{e},0.5\n' for part, e, x in LONG),
    "csv logger": "epoch,set,acc,loss\n" + "".join(f"{e},{part},0.5,{x}\n" for part, e, x in LONG),
    "melt": "epoch,variable,value\n" + "".join(f"{e},{part}_loss,{x}\n" for part, e, x in LONG),
    "in Portuguese": "conjunto;métrica;época;valor\n"
    + comma("".join(f"{ {'train': 'treino', 'valid': 'validação'}[part]};perda;{e};{x}\n" for part, e, x in LONG)),
    "printed": "   epoch    train  valid\n" + "".join(f"{e}      {e} {t} {v}\n" for e, t, v in WIDE),
    "tibble": "# A tibble: 6 × 3\n  set   epoch value\n  <chr> <dbl> <dbl>\n"
    + "".join(f"{n} {part} {e} {x}\n" for n, (part, e, x) in enumerate(LONG, 1)),
    "kable": "| epoch| train| valid|\n|----:|-----:|-----:|\n" + "".join(f"| {e}| {t}| {v}|\n" for e, t, v in WIDE),
    "Excel": comma(wide(";", "Época Treino Validação", end="\r\n")),
    "Excel, sep": comma(wide(";", start="sep=;\r\n", end="\r\n")),
    "Excel, empty cells": comma(wide(";", "Epoca Loss_Treino Loss_Valid  ", line="{e} {t} {v}  ")) + ";;;;\n",
    "Excel, quoted": comma(wide(" ", '"epoch" "train" "valid"', line='"{e}" "{t}" "{v}"')).replace(" ", ","),
    "Excel, Macintosh": wide(end="\r"),
    "a comment, a title, empty lines": "# exported from R\n\nHistory of the GPT\n" + wide().replace("\n", "\n\n"),
    "Keras": wide(",", "epoch loss val_loss"),
    "Lightning": wide(",", "epoch lr train_loss val_loss", line="{e} 0.001 {t} {v}"),
    "camel case": wide(",", "Epoch trainLoss valLoss"),
    "run together": wide(",", "epoch trainloss valloss"),
    "from 0": "epoch,train,valid\n" + "".join(f"{e - 1},{t},{v}\n" for e, t, v in WIDE),
    "no epochs": wide(",", '"" train valid', line='"{e}" {t} {v}'),
    "backwards": "epoch,train,valid\n" + "".join(f"{e},{t},{v}\n" for e, t, v in reversed(WIDE)),
    "as.data.frame(records$metrics)": ',train.loss,train.loss.1,train.loss.2,valid.loss,valid.loss.1,valid.loss.2\n"1",'
    + f"{across(1)},{across(2)}\n",
    "t(sapply(…))": f'"","loss","loss","loss"\n"train",{across(1)}\n"valid",{across(2)}\n',
    "unlist": '"","x"\n' + "".join(f'"{p}.loss",{row[i]}\n' for i, p in enumerate(PARTS, 1) for row in WIDE),
    "JSON, rows": json.dumps(ROWS),
    "JSON, long": json.dumps([{"set": part, "metric": "loss", "epoch": e, "value": x} for part, e, x in LONG]),
    "JSON, columns": json.dumps({key: [row[key] for row in ROWS] for key in ROWS[0]}),
    "JSON, records": json.dumps({"records": {"metrics": RECORDS}}, indent=1),
    "JSON, not unboxed": json.dumps({part: [{"loss": [x["loss"]]} for x in RECORDS[part]] for part in PARTS}),
    "JSON, Keras": json.dumps({"loss": [row[1] for row in WIDE], "val_loss": [row[2] for row in WIDE]}),
    "JSON, lines": "".join(json.dumps(row) + "\n" for row in ROWS),
    # as R 4.2.2 writes such a data frame and such a list
    "dput": 'structure(list(set = c("train", "train", "train", "valid", "valid", \n"valid"), metric = c("loss", '
    '"loss", "loss", "loss", "loss", \n"loss"), epoch = c(1L, 2L, 3L, 1L, 2L, 3L), value = c('
    + f"{across(1)}, {across(2)}"
    + ')), row.names = c(NA, \n-6L), class = "data.frame")\n',
    "dput, sequence and factor": 'structure(list(epoch = c(1:3, 1:3), set = structure(c(1L, 1L, 1L, 2L, 2L, 2L), '
    f'levels = c("train", "valid"), class = "factor"), value = c({across(1)}, {across(2)})), class = "data.frame", '
    "row.names = c(NA, -6L))",
    "dput, records": "list("
    + ", ".join(f"{p} = list({', '.join(f'list(loss = {row[i]})' for row in WIDE)})" for i, p in enumerate(PARTS, 1))
    + ")",
    "what luz prints": "".join(
        f"Epoch {e}/3\nTrain metrics: Loss: {t} - Acc: 0.5\nValid metrics: Loss: {v} - Acc: 0.5\n" for e, t, v in WIDE
    ),
}  # fmt: skip

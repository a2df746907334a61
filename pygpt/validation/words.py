"""What a report says, in English and Portuguese (`--lang en|pt`). Numbers keep the decimal point, as in the course."""

LANGUAGES = ("en", "pt")

_WORDS: dict[str, tuple[str, str]] = {
    # sources
    "course": ("course", "curso"),
    "r": ("R", "R"),
    "run": ("run", "execução"),
    "corpus": ("the course's text", "texto do curso"),
    "published": ("published", "publicado"),
    "recorded": ("recorded, seed 42", "gravado, semente 42"),
    # models and parts
    "gpt": ("GPT", "GPT"),
    "gpt_noattn": ("no attention", "sem atenção"),
    "train": ("train", "treino"),
    "valid": ("validation", "validação"),
    "loss": ("loss", "perda"),
    "ppl": ("perplexity", "perplexidade"),
    "part_loss": ("{part} loss", "perda de {part}"),
    "part_ppl": ("{part} perplexity", "perplexidade de {part}"),
    "of_epoch": ("{part} loss of epoch {epoch}", "perda de {part} da época {epoch}"),
    # tables
    "epoch": ("epoch", "época"),
    "quantity": ("quantity", "medida"),
    "band": ("99% band", "faixa de 99%"),
    "precision": (
        "Losses in nats per character, to 4 decimals; perplexity is exp(loss), to 2. Differences are of the unrounded "
        "losses (the course's are rounded to 4 decimals, so they are known to within 0.00005). "
        "! marks a loss outside the band.",
        "Perdas em nats por caractere, com 4 casas; perplexidade é exp(perda), com 2. As diferenças são das perdas sem "
        "arredondamento (as do curso têm 4 casas, portanto são conhecidas a menos de 0.00005). "
        "! marca uma perda fora da faixa.",
    ),
    "spread": (
        "Band: R's loss plus and minus {train:.4f} (train) and {valid:.4f} (validation), which is t * sqrt(2) * s; s "
        "is the spread over {n} seeds after one epoch of the fast engine ({s_train:.4f} and {s_valid:.4f}), taken to "
        "be the same after epochs 2 and 3.",
        "Faixa: a perda do R mais ou menos {train:.4f} (treino) e {valid:.4f} (validação), isto é, t * raiz(2) * s; "
        "s é o desvio padrão entre {n} sementes após uma época do motor rápido ({s_train:.4f} e {s_valid:.4f}), "
        "suposto o mesmo após as épocas 2 e 3.",
    ),
    # headings
    "title": ("Are these the results of the course's code?", "São estes os resultados do código do curso?"),
    "exercise": (
        "Exercise {number}: {model} (table {table}, page {page})",
        "Exercício {number}: {model} (tabela {table}, página {page})",
    ),
    "validated": ("Validated: {name}", "Validado: {name}"),
    "texts": ("Texts", "Textos"),
    "provenance": ("Provenance", "Procedência"),
    "figure": ("Figures", "Figuras"),
    # verdicts
    "good": ("VERDICT: good", "VEREDITO: bom"),
    "bad": ("VERDICT: not good", "VEREDITO: não é bom"),
    "identical": (
        "Against R's recording: identical ({what}; every value is the same float32).",
        "Comparado à gravação do R: idêntico ({what}; cada valor é o mesmo float32).",
    ),
    "digits": (
        "Against R's recording: identical to {digits} digits after the point ({what}; largest difference "
        "{largest:.1e}).",
        "Comparado à gravação do R: idêntico em {digits} casas decimais ({what}; maior diferença {largest:.1e}).",
    ),
    "differs": (
        "Against R's recording: differs from {where} on, by more than half a unit of the fourth decimal "
        "({what}; largest difference {largest:.1e}).",
        "Comparado à gravação do R: difere por mais de meia unidade da quarta casa; primeira vez: {where} "
        "({what}; maior diferença {largest:.1e}).",
    ),
    "first_bit": ("The first bit differs at {where}.", "O primeiro bit diferente: {where}."),
    "at_step": ("step {n}", "passo {n}"),
    "n_steps": ("steps: {n}", "passos: {n}"),
    "n_losses": ("losses of epochs: {n}", "perdas de épocas: {n}"),
    "weights_same": (
        "The weights are R's of seed 42, by their SHA-256.",
        "Os pesos são os do R com semente 42, pelo SHA-256.",
    ),
    "weights_other": (
        "The weights are not R's of seed 42 (another SHA-256).",
        "Os pesos não são os do R com semente 42 (outro SHA-256).",
    ),
    "inside": (
        "Inside the band around R's: all {n} losses.",
        "Dentro da faixa em torno do R: todas as {n} perdas.",
    ),
    "inside_one": ("Inside the band around R's: {losses}.", "Dentro da faixa em torno do R: {losses}."),
    "outside": ("Outside the band around R's: {losses}.", "Fora da faixa em torno do R: {losses}."),
    "outside_loss": ("{name} ({value:.4f}, R {r:.4f})", "{name} ({value:.4f}, R {r:.4f})"),
    "must_match": (
        "It has the recording's seed, settings and kernels, so it must be identical.",
        "Tem a semente, as configurações e os núcleos de cálculo da gravação, portanto deve ser idêntico.",
    ),
    "may_round": (
        "This processor computes with other kernels than the recording's: agreement to digits is what can be had.",
        "Este processador calcula com outros núcleos que os da gravação: o possível é concordar em algumas casas.",
    ),
    "text_same": (
        "Its text (seed 123) is R's, character for character.",
        "Seu texto (semente 123) é o do R, caractere por caractere.",
    ),
    "text_other": (
        "Its text (seed 123) leaves R's at character {n}.",
        "Seu texto (semente 123) se afasta do texto do R no caractere {n}.",
    ),
    "order": (
        "Evaluated with the vocabulary in the order {order} (the lower loss of R's two).",
        "Avaliado com o vocabulário na ordem {order} (a menor perda entre as duas do R).",
    ),
    # the published tables
    "published_inside": (
        "Table {table} lies inside the band: its losses differ from R's by {low:+.4f} to {high:+.4f}; the nearest to "
        "the edge: {losses}, at {share:.0%} of the way.",
        "A tabela {table} está dentro da faixa: suas perdas diferem das do R de {low:+.4f} a {high:+.4f}; a mais "
        "próxima da borda: {losses}, a {share:.0%} do caminho.",
    ),
    "published_outside": (
        "Table {table} lies OUTSIDE what the code gives: {losses}.",
        "A tabela {table} está FORA do que o código dá: {losses}.",
    ),
    # exercise 3's claim
    "claim": (
        "Exercise 3's claim, tested: changing every other character of the block changes the logits at a place by at "
        "most {noattn:.3g} without attention ({noattn_of}) and by up to {gpt:.3g} with it ({gpt_of}).",
        "A afirmação do exercício 3, testada: trocar todos os outros caracteres do bloco altera os logits de uma "
        "posição em no máximo {noattn:.3g} sem atenção ({noattn_of}) e em até {gpt:.3g} com atenção ({gpt_of}).",
    ),
    "claim_holds": (
        "So without attention the output depends on the present character and its place alone.",
        "Logo, sem atenção, a saída depende apenas do caractere presente e da sua posição.",
    ),
    "claim_fails": (
        "So this model without attention sees other characters: it is not exercise 3's.",
        "Logo, este modelo sem atenção vê outros caracteres: não é o do exercício 3.",
    ),
    "these_weights": ("these weights", "estes pesos"),
    "first_weights": ("first weights of seed 42", "pesos iniciais da semente 42"),
    "floor": (
        "No such model can have a validation loss below {both:.4f}, the entropy of the next character given the "
        "present one and its place (counted on the validation windows themselves); the validation losses of epoch 3: "
        "{losses}.",
        "Nenhum modelo assim pode ter perda de validação abaixo de {both:.4f}, a entropia do próximo caractere dados "
        "o presente e a sua posição (contada nas próprias janelas de validação); perdas de validação da época 3: "
        "{losses}.",
    ),
    "below_floor": (
        "{name} is BELOW the floor: no model without attention can give it.",
        "{name} está ABAIXO do piso: nenhum modelo sem atenção pode dá-la.",
    ),
    "floor_parts": (
        "The place alone would allow {place:.4f}, the present character alone {token:.4f}; a table of pairs counted on "
        "the training text (one added to each count) gets {counted:.4f}. So R's model has learnt the pairs of "
        "characters and not, as the solution says, the place alone.",
        "Só a posição permitiria {place:.4f}, só o caractere presente {token:.4f}; uma tabela de pares contada no "
        "texto de treino (somando um a cada contagem) obtém {counted:.4f}. Logo, o modelo do R aprendeu os pares de "
        "caracteres e não, como diz a resolução, apenas a posição.",
    ),
    "no_corpus": (
        "The course's text is not at hand, so floors and shares of known words are left out ({why})",
        "O texto do curso não está disponível; pisos e proporções de palavras conhecidas ficam de fora ({why})",
    ),
    # texts
    "text": ("text", "texto"),
    "words": ("words", "palavras"),
    "known": ("in the corpus", "no corpus"),
    "word_length": ("mean length", "comprimento médio"),
    "lines": ("lines", "linhas"),
    "speakers": ("speakers", "personagens"),
    "texts_note": (
        "Words that occur in the course's text (case ignored), mean word length in characters, and lines, blank ones "
        "not counted, that look like a speaker's name (one to four capitalised words and a colon). The corpus's own "
        "share of known words is 100% by definition. R's and the run's texts are 400 characters: too few for fine "
        "distinctions.",
        "Palavras que ocorrem no texto do curso (sem distinguir maiúsculas), comprimento médio em caracteres e "
        "linhas, sem contar as vazias, que parecem o nome de um personagem (de uma a quatro palavras com maiúscula e "
        "dois-pontos). A proporção do próprio corpus é 100% por definição. Os textos do R e da execução têm 400 "
        "caracteres: poucos para distinções finas.",
    ),
    # figure
    "step_losses": ("step losses, mean of {width} steps", "perda por passo, média de {width} passos"),
    "loss_unit": ("cross entropy (nats per character)", "entropia cruzada (nats por caractere)"),
    "step": ("step", "passo"),
    "differs_from": ("differs from step {n} on", "difere a partir do passo {n}"),
}


def say(lang: str, key: str, **values: object) -> str:
    """The words of `key` in a language, with its values put in."""
    return _WORDS[key][LANGUAGES.index(lang)].format(**values)

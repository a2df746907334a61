"""The Portuguese of every sentence that `say` makes (tests/grading holds that none is missing)."""

# Code, formulas and names: the same in both languages.
SAME = (
    "nn.Embedding(nvoc, n_embd, padding_idx=0)",
    "{part}",
    "{model}",
    "{value}",
    "{text}",
    "{c}: {ids} …",
    "{value} nats",
    "{model}, {norm}",
    "functional.cross_entropy(logits.reshape(-1, nvoc), y.reshape(-1))",
    "idx[:, -block_size:], logits[:, -1] / temperature, softmax, torch.multinomial, torch.cat",
    "{{c: i + 1 for i, c in enumerate(Vocabulary)}}",
)
PORTUGUESE: dict[str, str] = {
    "{n} parameters of R's shapes": "{n} parâmetros com as formas do R",
    "row 0 (<PAD>) of the token embedding all zero, the others not": (
        "a linha 0 (<PAD>) da imersão dos tokens toda zero, as outras não"
    ),
    "{n} parameters, found {how}": "{n} parâmetros, encontrados {how}",
    "rows that are zero: {rows}": "linhas que são zero: {rows}",
    "The parts are there": "As partes existem",
    "Each part that is asked for can be graded only if it is defined under its name.": (
        "Cada parte pedida só pode ser avaliada se estiver definida com o seu nome."
    ),
    "Start from `grade --template`: it holds every name.": "Comece com `grade --template`: lá estão todos os nomes.",
    "Number and shapes of the parameters": "Número e formas dos parâmetros",
    "R's weights must find their place: the same parameters with the same shapes, no more and no fewer.": (
        "Os pesos do R precisam encontrar seu lugar: os mesmos parâmetros, com as mesmas formas, nem mais nem menos."
    ),
    "Compare with R's initialize(): biases, the final LayerNorm scale3, an output layer ln_f of its own.": (
        "Compare com o initialize() do R: vieses, a LayerNorm final scale3, uma camada de saída ln_f própria."
    ),
    "The PAD row begins at zero": "A linha PAD começa em zero",
    "nn_embedding(padding_idx = 1) zeroes R's row 1, which is row 0 here.": (
        "nn_embedding(padding_idx = 1) zera a linha 1 do R, que aqui é a linha 0."
    ),
    "defined": "definida",
    "not defined": "não definida",
    "{n} parameters; R's without counterpart: {missing}; not in R: {extra}": (
        "{n} parâmetros; do R sem correspondente: {missing}; que o R não tem: {extra}"
    ),
    "no token embedding was found in {model}": "nenhuma imersão de tokens foi encontrada em {model}",
    "each output depends on the tokens that R's does": "cada saída depende dos tokens de que a do R depende",
    "so it is, at {n} lengths": "assim é, em {n} comprimentos",
    "Causality in eval mode": "Causalidade no modo eval",
    "The output at t depends on tokens 1 to t (GPT) or on token t alone (GPT_NoAttn), and on no later one.": (
        "A saída em t depende dos tokens 1 a t (GPT) ou só do token t (GPT_NoAttn), e de nenhum posterior."
    ),
    "torch.triu(torch.ones(k, k), diagonal=1) is True where attention is blocked: j > i.": (
        "torch.triu(torch.ones(k, k), diagonal=1) é True onde a atenção é bloqueada: j > i."
    ),
    "Causality in train mode": "Causalidade no modo train",
    "The same mask in training: a model that sees the next character learns nothing but to copy it.": (
        "A mesma máscara no treino: um modelo que vê o próximo caractere só aprende a copiá-lo."
    ),
    "Is the mask applied in train mode, too?": "A máscara é aplicada também no modo train?",
    "Causality at every length": "Causalidade em todos os comprimentos",
    "The mask must fit every k up to block_size, also lengths that training never shows.": (
        "A máscara precisa servir para todo k até block_size, também para comprimentos que o treino nunca mostra."
    ),
    "Make the mask for k, the length of this input, or cut a larger one to [:k, :k].": (
        "Faça a máscara para k, o comprimento desta entrada, ou corte uma maior em [:k, :k]."
    ),
    "{model}, every length": "{model}, todos os comprimentos",
    "{model}, the course's block": "{model}, o bloco do curso",
    "{mode} mode, length {k}: position {place} sees the token at {changed}": (
        "modo {mode}, comprimento {k}: a posição {place} vê o token em {changed}"
    ),
    "{mode} mode, length {k}: position {place} does not see the token at {changed}": (
        "modo {mode}, comprimento {k}: a posição {place} não vê o token em {changed}"
    ),
    "nn.Dropout(p0), in train mode alone: on the embedding, on the attention weights, at the end of FFN.": (
        "nn.Dropout(p0), só no modo train: na imersão, nos pesos da atenção, no fim da FFN."
    ),
    "in eval mode the same logits for the same input": "no modo eval, os mesmos logits para a mesma entrada",
    "a share of {rate} dropped, the rest divided by {keep}": "uma fração {rate} zerada, o resto dividido por {keep}",
    "a share of {found} dropped": "uma fração {found} zerada",
    "No dropout in eval mode": "Sem dropout no modo eval",
    "model$eval() turns dropout off: the same input gives the same logits.": (
        "model$eval() desliga o dropout: a mesma entrada dá os mesmos logits."
    ),
    "nn.Dropout knows the mode; functional.dropout needs training=self.training.": (
        "nn.Dropout conhece o modo; functional.dropout precisa de training=self.training."
    ),
    "Dropout on the embedding": "Dropout na imersão",
    "drop0 drops single values of the sum of token and position.": (
        "drop0 zera valores individuais da soma de token e posição."
    ),
    "Dropout on the attention weights": "Dropout nos pesos da atenção",
    "nn_multihead_attention(dropout = p0) drops weights after the softmax, and nothing after the projection.": (
        "nn_multihead_attention(dropout = p0) zera pesos depois da softmax, e nada depois da projeção."
    ),
    "Dropout at the end of the feed-forward part": "Dropout no fim da parte feed-forward",
    "The last layer of FFN is nn_dropout(p0): before the sum, after the second linear layer.": (
        "A última camada da FFN é nn_dropout(p0): antes da soma, depois da segunda camada linear."
    ),
    "the same": "os mesmos",
    "other logits at every call": "outros logits a cada chamada",
    "what is kept is multiplied by {scale}": "o que fica é multiplicado por {scale}",
    "columns of one head are dropped each for itself, not weights": (
        "as colunas de uma cabeça são zeradas uma a uma, não os pesos"
    ),
    "Embedding: token plus position": "Imersão: token mais posição",
    "h0 = Embed(x) + Pos(x): the token's row plus the row of its position, counted from the first.": (
        "h0 = Embed(x) + Pos(x): a linha do token mais a linha da sua posição, contada a partir da primeira."
    ),
    "self.wte(x) + self.wpe(torch.arange(k)), without a factor": (
        "self.wte(x) + self.wpe(torch.arange(k)), sem nenhum fator"
    ),
    "Attention of each block, given the right input": "Atenção de cada bloco, com a entrada certa",
    "h' = h + MHA(LN(h)), judged at the last position, where the mask blocks nothing.": (
        "h' = h + MHA(LN(h)), julgada na última posição, onde a máscara não bloqueia nada."
    ),
    "softmax(Q K^T / sqrt(d / heads)) V for each head, then the output projection; the input is added after.": (
        "softmax(Q K^T / sqrt(d / cabeças)) V em cada cabeça, depois a projeção de saída; a entrada é somada depois."
    ),
    "Feed-forward part of each block, given the right input": "Parte feed-forward de cada bloco, com a entrada certa",
    "h + FFN(LN(h)) with Linear(d, 4d), the exact GELU, Linear(4d, d).": (
        "h + FFN(LN(h)) com Linear(d, 4d), a GELU exata, Linear(4d, d)."
    ),
    "nn.GELU() without approximate='tanh'; LayerNorm before, the input added after.": (
        "nn.GELU() sem approximate='tanh'; LayerNorm antes, a entrada somada depois."
    ),
    "Final norm and output layer, given the right input": "Norma final e camada de saída, com a entrada certa",
    "logits = ln_f(scale3(h)): a LayerNorm, then a linear layer without bias.": (
        "logits = ln_f(scale3(h)): uma LayerNorm, depois uma camada linear sem viés."
    ),
    "Apply scale3 before ln_f, and return logits, not probabilities.": (
        "Aplique scale3 antes de ln_f, e devolva logits, não probabilidades."
    ),
    "{model}, block {j}": "{model}, bloco {j}",
    "the prompt, then {n} times the likeliest token": "o texto inicial, depois {n} vezes o token mais provável",
    "mean log-probability {value} at temperature {t}": "log-probabilidade média {value} na temperatura {t}",
    "so it is": "assim é",
    "The prompt is continued": "O texto inicial é continuado",
    "The next token is drawn from the softmax of the last position's logits, then appended.": (
        "O próximo token é sorteado da softmax dos logits da última posição, e então acrescentado."
    ),
    "Long contexts are cropped": "Contextos longos são cortados",
    "The model sees the last block_size tokens, no more.": "O modelo vê os últimos block_size tokens, não mais.",
    "The temperature": "A temperatura",
    "Logits are divided by the temperature before the softmax.": (
        "Os logits são divididos pela temperatura antes da softmax."
    ),
    "a short prompt": "um texto inicial curto",
    "a prompt longer than the block": "um texto inicial mais longo que o bloco",
    "the prompt itself comes back changed": "o próprio texto inicial volta mudado",
    "{n} draws": "{n} sorteios",
    "new token {n} is not the likeliest": "o novo token {n} não é o mais provável",
    "the derivative of the logits with respect to every parameter": "a derivada dos logits em relação a cada parâmetro",
    "one row of the token embedding without gradient: 1 (as R) or 0 (PAD, corrected)": (
        "uma linha da imersão dos tokens sem gradiente: 1 (como o R) ou 0 (PAD, corrigida)"
    ),
    "{name}: slope {slope}": "{name}: inclinação {slope}",
    "gradient says {p}": "o gradiente diz {p}",
    "both rows have a gradient": "as duas linhas têm gradiente",
    "neither row has a gradient": "nenhuma das linhas tem gradiente",
    "Gradients": "Gradientes",
    "Training follows the gradients: each must be the slope of the logits along its parameter.": (
        "O treino segue os gradientes: cada um deve ser a inclinação dos logits ao longo do seu parâmetro."
    ),
    "No detach(), .data, torch.no_grad() or NumPy between parameters and logits.": (
        "Nada de detach(), .data, torch.no_grad() ou NumPy entre os parâmetros e os logits."
    ),
    "The padding row gets no gradient": "A linha de preenchimento não recebe gradiente",
    "R's padding_idx = 1 leaves one row of the embedding without gradient: row 1 by a slip of R torch, "
    "row 0 if it is corrected; both are right here.": (
        "padding_idx = 1 do R deixa uma linha da imersão sem gradiente: a linha 1 por um lapso do torch do R, "
        "a linha 0 se corrigido; as duas são aceitas aqui."
    ),
    "no gradient reaches {names}": "nenhum gradiente chega a {names}",
    "so it is, for {n} parameters": "assim é, para {n} parâmetros",
    "so it is, by the submission's own forward pass": "assim é, pela passagem direta da própria entrega",
    "row {row} has no gradient": "a linha {row} não tem gradiente",
    "{norm} changes the output": "{norm} muda a saída",
    "it has no effect": "não tem efeito",
    "Each LayerNorm in its place": "Cada LayerNorm no seu lugar",
    "scale1 stands before the attention, scale2 before the feed-forward part, inside of the branch (pre-norm).": (
        "scale1 fica antes da atenção, scale2 antes da parte feed-forward, dentro do ramo (pre-norm)."
    ),
    "h + MHA(scale1(h)), then h + FFN(scale2(h)): not exchanged, and not after the sum.": (
        "h + MHA(scale1(h)), depois h + FFN(scale2(h)): não trocadas, e não depois da soma."
    ),
    "eps of the LayerNorms": "eps das LayerNorms",
    "R's nn_layer_norm adds eps = 1e-5 to the variance; for inputs of small variance it shows.": (
        "nn_layer_norm do R soma eps = 1e-5 à variância; em entradas de variância pequena isso aparece."
    ),
    "nn.LayerNorm(n_embd) has eps=1e-5 already": "nn.LayerNorm(n_embd) já tem eps=1e-5",
    "{model}, the norm before {part}": "{model}, a norma antes de {part}",
    "torch.optim.AdamW(model.parameters(), lr=lr), and clip_grad_norm_(model.parameters(), 1.0) before its step": (
        "torch.optim.AdamW(model.parameters(), lr=lr), e clip_grad_norm_(model.parameters(), 1.0) antes do passo"
    ),
    "AdamW with lr = {lr}, decay 0.01, gradients clipped to norm 1": (
        "AdamW com lr = {lr}, decaimento 0.01, gradientes limitados à norma 1"
    ),
    "loss from {first} to {last} in {n} steps": "perda de {first} a {last} em {n} passos",
    "loss from {first} to {last}, recomputed from the weights": "perda de {first} a {last}, recalculada dos pesos",
    "by the submission's own model from {a} to {b}": "pelo modelo da própria entrega, de {a} a {b}",
    "The loss": "A perda",
    "nn_cross_entropy_wrapper: the mean of the cross entropy over all positions of all windows.": (
        "nn_cross_entropy_wrapper: a média da entropia cruzada sobre todas as posições de todas as janelas."
    ),
    "One optimizer step": "Um passo do otimizador",
    "optim_adamw: the update that follows from the gradients, weight decay 0.01 on every parameter.": (
        "optim_adamw: a atualização que segue dos gradientes, decaimento 0.01 em todo parâmetro."
    ),
    "Twenty steps": "Vinte passos",
    "Moments and clipping show over several steps; the losses are recomputed from the weights.": (
        "Momentos e limite da norma aparecem em vários passos; as perdas são recalculadas dos pesos."
    ),
    "cross entropy": "entropia cruzada",
    "step {step}: {name} differs by {gap} of the learning rate": (
        "passo {step}: {name} difere em {gap} da taxa de aprendizado"
    ),
    "Encoder gives R's ids": "Encoder dá os ids do R",
    "R counts from 1, and <PAD> is 1: a character's id is its place in the vocabulary, from 1.": (
        "O R conta a partir de 1, e <PAD> é 1: o id de um caractere é seu lugar no vocabulário, a partir de 1."
    ),
    "Decoder takes R's ids": "Decoder recebe os ids do R",
    "Vocabulary[File_indices] in R: id 1 is the first entry.": "Vocabulary[File_indices] no R: o id 1 é o primeiro.",
    "Vocabulary[i - 1] in Python": "Vocabulary[i - 1] em Python",
    "Decoder undoes Encoder": "Decoder desfaz Encoder",
    "Text to ids and back is the same text.": "De texto a ids e de volta dá o mesmo texto.",
    "Both must count from the same number.": "Os dois precisam contar a partir do mesmo número.",
    "there and back": "ida e volta",
    "an id of its own for each character": "um id próprio para cada caractere",
    "ids are shared or missing": "há ids repetidos ou faltando",
    "{actual}: explained by another check": "{actual}: explicado por outra verificação",
    "The whole model": "O modelo inteiro",
    "The parts follow each other as in R; with each parameter and each token changed, the logits follow, too.": (
        "As partes se seguem como no R; mudando cada parâmetro ou token, os logits acompanham."
    ),
    "Embedding, block 1 to N (attention, then feed-forward), scale3, ln_f.": (
        "Imersão, blocos 1 a N (atenção, depois feed-forward), scale3, ln_f."
    ),
    "{model}, order of the parts": "{model}, ordem das partes",
    "{model}, from end to end": "{model}, de ponta a ponta",
    "an answer": "uma resposta",
    "it ran as root, since no other user may read Python and torch here": (
        "foi executada como root, pois aqui nenhum outro usuário pode ler o Python e o torch"
    ),
    "graded with --unsafe: the submission could read and write files, use the network and see other processes": (
        "avaliada com --unsafe: a entrega podia ler e escrever arquivos, usar a rede e ver outros processos"
    ),
    "neither GPT nor GPT_NoAttn is defined": "nem GPT nem GPT_NoAttn está definida",
    "{part} is not defined": "{part} não está definida",
    "{start}; wrong even with the right input": "{start}; errada mesmo com a entrada certa",
    "agrees": "concorda",
    "first diverges here": "diverge primeiro aqui",
    "differs": "difere",
    "{start}; right when given the right input": "{start}; certa quando recebe a entrada certa",
    "a parameter has more than {n} numbers": "um parâmetro tem mais de {n} números",
    "the model has no parameters that could be read": "o modelo não tem parâmetros que se possam ler",
    "{value} at position {position}": "{value} na posição {position}",
    "{value} (largest difference {gap} standard deviations, {tolerance} allowed)": (
        "{value} (maior diferença: {gap} desvios padrão, permitido: {tolerance})"
    ),
    "an output layer that lets the result be seen": "uma camada de saída que deixe ver o resultado",
    "the logits hardly change with the input ({share} of R's change)": (
        "os logits quase não mudam com a entrada ({share} da mudança do R)"
    ),
    "the submission's process ended (sys.exit, os._exit, a crash, or a limit)": (
        "o processo da entrega terminou (sys.exit, os._exit, uma falha ou um limite)"
    ),
    "the answer lacks {name}": "falta {name} na resposta",
    "{name} has shape {found}, not {shape}": "{name} tem a forma {found}, não {shape}",
    "{name} is {dtype}: not a type that is allowed": "{name} é {dtype}: um tipo não permitido",
    "{name} holds values that are not finite (NaN or Inf)": "{name} tem valores que não são finitos (NaN ou Inf)",
    "not run: the submission's process ended too often ({n} times)": (
        "não executada: o processo da entrega terminou vezes demais ({n})"
    ),
    "not run: the time for the whole grading is over": "não executada: o tempo total da avaliação acabou",
    "the answer is too large: {size} bytes, {most} are allowed": (
        "a resposta é grande demais: {size} bytes, o permitido são {most}"
    ),
    "the answer is not a whole safetensors message": "a resposta não é uma mensagem safetensors inteira",
    "the submission raised {error}": "a entrega levantou {error}",
    "no answer in time: the process was ended": "sem resposta a tempo: o processo foi encerrado",
    "too much memory: more than {n} MiB; the process was ended": (
        "memória demais: mais de {n} MiB; o processo foi encerrado"
    ),
    "there is no .py and no .ipynb file in it": "não há nela nenhum arquivo .py nem .ipynb",
    "{n} files could be meant: call yours submission.py, or make the folder a package (__init__.py)": (
        "{n} arquivos possíveis: chame o seu de submission.py, ou faça da pasta um pacote (__init__.py)"
    ),
    "too large: more than {n} files or {m} MiB": "grande demais: mais de {n} arquivos ou {m} MiB",
    "cannot be read: {error}": "não pode ser lido: {error}",
    "by R's names": "pelos nomes do R",
    "by the submission's weight_map": "pelo weight_map da entrega",
    "by shape and building order (no names in common with R, no weight_map)": (
        "pela forma e ordem de construção (nenhum nome em comum com o R, nenhum weight_map)"
    ),
    "weight_map: there is no parameter {own} (for {name})": "weight_map: não há o parâmetro {own} (para {name})",
    "weight_map: {name} has shape {shape}, yours {own}": "weight_map: {name} tem a forma {shape}, o seu {own}",
    "several assignments of the weights fit: {name} may be {a} or {b}. Add to your file: {line}": (
        "várias correspondências dos pesos servem: {name} pode ser {a} ou {b}. Acrescente ao seu arquivo: {line}"
    ),
    "query, key and value cannot be told apart by their names ({names}). Add to your file: {line}": (
        "query, key e value não se distinguem pelos nomes ({names}). Acrescente ao seu arquivo: {line}"
    ),
    "the weights cannot be carried over: names, shapes and building order do not tell which parameter "
    "is R's {name}. Add to your file: {line}": (
        "os pesos não podem ser transferidos: nomes, formas e ordem de construção não dizem qual parâmetro "
        "é {name} do R. Acrescente ao seu arquivo: {line}"
    ),
}

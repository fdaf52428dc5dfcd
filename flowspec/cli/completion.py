"""Shell completion by click: the scripts for bash, zsh and fish, and the answers to their calls.

A script runs `flowspec` with `VARIABLE` set to `SHELL_complete`, and click finds out what is being typed. The scripts
are flowspec's own: those of click handle names with spaces and commas wrongly in bash and fish, and add a space after
`day=`.
"""

from __future__ import annotations

import os
import re
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

# What bash does not take for itself in a word.
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")

VARIABLE = "_FLOWSPEC_COMPLETE"


class _Bash(BashComplete):
    # `complete -o nosort` takes bash 4.4; `read` keeps what the shell would expand.
    source_template = """\
%(complete_func)s() {
    local line value
    COMPREPLY=()
    while IFS= read -r line; do
        value=${line#*,}
        case ${line%%%%,*} in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                COMPREPLY+=("$value")
                [[ $value == *[=/] ]] && compopt -o nospace ;;
        esac
    done < <(
        IFS=$'\\n'
        env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2>/dev/null
    )
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def source(self) -> str:
        # Not click's, which runs bash to find out its version: the script may be for another machine's.
        return self.source_template % self.source_vars()

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        # To bash, `--target=prod` is three words.
        kept = [word for before, word in zip(["", *args], args, strict=False) if word != "=" or before[:2] != "--"]
        return kept, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        if item.type != "plain" or self._typed()[:1] in ("'", '"'):
            return super().format_completion(item)
        # What is inserted is read by bash: `count words` is two words.
        return "plain," + _SPECIAL.sub(r"\\\g<0>", item.value)

    @staticmethod
    def _typed() -> str:
        """Returns the word at the cursor as it is typed, with its quotes."""
        words = os.environ["COMP_WORDS"].split("\n")
        at = int(os.environ["COMP_CWORD"])
        return words[at] if at < len(words) else ""


class _Zsh(ZshComplete):
    source_template = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local -a plain open described response
    local type key text
    (( ! $+commands[%(prog_name)s] )) && return 1
    local -x COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete
    response=("${(@f)$(%(prog_name)s 2>/dev/null)}")
    unset %(complete_var)s
    # Of `--target=p`, only what is behind `=` is completed; -U would replace the whole word.
    [[ $words[CURRENT] == --*=* ]] && compset -P 1 '*='
    local -a whole=(-U -i "$IPREFIX")
    for type key text in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $key == *[=/] ]]; then open+=("$key")
                elif [[ $text == _ ]]; then plain+=("$key")
                else described+=("$key:$text"); fi ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described "${whole[@]}"
    (( $#plain )) && compadd "${whole[@]}" -V unsorted -a plain
    (( $#open )) && compadd "${whole[@]}" -S '' -V unsorted -a open
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _Fish(FishComplete):
    source_template = """\
function %(complete_func)s
    set -lx %(complete_var)s fish_complete
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    # Of `--target=p`, fish replaces the whole word.
    set -l option (string match -r -- '^--[^=]*=' "$COMP_CWORD"; or echo "")
    for line in (%(prog_name)s 2>/dev/null)
        set -l parts (string split --max 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $option$parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def script(root: click.Command, shell: str) -> str:
    """Returns the script that makes `shell` complete command lines of flowspec."""
    return SHELLS[shell](root, {}, "flowspec", VARIABLE).source()


def answer(root: click.Command, instruction: str) -> str:
    """Returns the candidates for the words in COMP_WORDS and COMP_CWORD, as the script of the shell reads them.

    `instruction` is VARIABLE's value. Raises KeyError when it, or what is in the environment, is not a script's.
    """
    shell = SHELLS[instruction.removesuffix("_complete")](root, {}, "flowspec", VARIABLE)
    shell.ctx_args = {"obj": shell.get_completion_args()[0]}
    return shell.complete()

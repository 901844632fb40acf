"""What each shell runs to complete `llama`: it asks `llama __complete` and shows what comes."""

from __future__ import annotations

_BASH = """\
# Completion of `llama` for Bash.
_llama_complete() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) _llama_paths -f ;;
            :folders) _llama_paths -d ;;
            :programs) _llama_paths -c ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <("$1" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
}
_llama_paths() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "${COMP_WORDS[COMP_CWORD]#[=:]}")
}
complete -F _llama_complete llama
"""

_ZSH = """\
#compdef llama
# Completion of `llama` for zsh.
_llama() {
    local line value what paths=''
    local -a found
    while IFS= read -r line; do
        case $line in
            :files) paths=files ;;
            :folders) paths=folders ;;
            :programs) paths=programs ;;
            *)
                value=${line%%$'\\t'*} what=${line#*$'\\t'}
                found+=("${value//:/\\\\:}${what:+:$what}")
                ;;
        esac
    done < <("${words[1]}" __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)${:-$IPREFIX$PREFIX}}" 2>/dev/null)
    (( $#found )) && _describe -V 'llama' found
    [[ -n $paths ]] && compset -P 1 '--*='
    case $paths in
        files) _files ;;
        folders) _files -/ ;;
        programs) _command_names -e ;;
    esac
}
if [[ $funcstack[1] == _llama ]]; then
    _llama "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _llama llama
fi
"""

_FISH = """\
# Completion of `llama` for fish.
function __llama_complete
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l current (string unescape -- $typed; or string unescape -- "$typed'"; or string unescape -- "$typed\\"")
    for line in ($before[1] __complete fish $before[2..-1] "$current" 2>/dev/null)
        switch $line
            case :files
                complete -C "__llama_no_command $typed"
            case :folders
                __fish_complete_directories "$typed"
            case :programs
                complete -C "$typed"
            case '*'
                echo $line
        end
    end
end
complete -c llama -f -a '(__llama_complete)'
"""

_POWERSHELL = """\
# Completion of `llama` for PowerShell. Paths are what PowerShell completes where nothing comes.
Register-ArgumentCompleter -Native -CommandName llama -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $line = $commandAst.ToString().PadRight($cursorPosition).Substring(0, $cursorPosition)
    llama __complete powershell $line 2>$null | Where-Object { $_ -notlike ':*' } | ForEach-Object {
        $value, $what = $_ -split "`t", 2
        if (-not $what) { $what = $value }
        if ($value -notmatch '^[\\w:=./+-]+$') { $value = "'" + $value.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $what)
    }
}
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
"""By shell."""

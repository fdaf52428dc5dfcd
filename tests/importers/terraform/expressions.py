"""Expressions of Terraform with what Terraform makes of them; and those whose result the importer must not claim."""

VARIABLES = r"""
variable "n" { default = 4 }
variable "text_n" {
  type    = string
  default = 4
}
variable "number" {
  type    = number
  default = "40"
}
variable "flag" { default = true }
variable "name" { default = "etl" }
variable "empty" { default = "" }
variable "nothing" {
  type    = string
  default = null
}
variable "apps" { default = ["Spark", "Hive"] }
variable "zones" {
  type    = set(string)
  default = ["b", "a", "b"]
}
variable "tags" {
  type    = map(string)
  default = { team = "search", cost = "c" }
}
variable "cfg" {
  type = object({
    size = number
    kind = optional(string, "m5.xlarge")
    more = optional(list(string))
  })
  default = { size = 3 }
}
variable "groups" {
  default = [{ type = "a", count = 1 }, { type = "b", count = 2 }]
}
locals {
  prefix = "acme-${var.name}"
  env    = "dev"
  sizes  = { dev = "m5.xlarge", prod = "m5.4xlarge" }
  twice  = [local.prefix, local.prefix]
}
"""

EXPRESSIONS = r"""
var.n == 4
var.n == "4"
var.flag == true
var.flag == "true"
var.text_n == "4"
var.text_n == 4
var.number + 1
"${var.n}" == "4"
var.n != 4 ? "a" : "b"
var.flag ? "yes" : "no"
var.nothing == null
var.nothing == null ? "unset" : var.nothing
var.name == null
!var.flag
var.flag && var.n > 3
var.flag || var.n > 30
var.n >= 4 && !(var.n < 2)
-var.n + 3 * (4 - 1) % 2
7 / 2
6 / 2
0.1 + 0.2
1.5e3
100000 * 100000
"3" + 1
3 - 1
3-1
true ? 1 : "a"
false ? "a" : 1
replace("a-b.c", "/[^a-z]/", "_")
replace("a-b-c", "-", "_")
replace("emr-6.15.0", "/emr-([0-9]+)\\..*/", "$1")
replace("hello", "/(l+)/", "<$${1}>")
replace(var.name, "t", "T")
regex("[0-9]+", "emr-6.15.0")
regex("emr-([0-9]+)\\.([0-9]+)", "emr-6.15.0")
regex("(?P<major>[0-9]+)", "emr-6.15.0")
regexall("[0-9]+", "emr-6.15.0")
length(regexall("^emr-7", "emr-6.15.0")) > 0
toset(["Spark", "Hadoop", "Spark"])
tolist(toset(["b", "a", "b"]))
toset([3, "a", 3])
tolist(var.zones)
join(",", var.zones)
[for z in var.zones : upper(z)]
var.apps[1]
var.apps.0
element(var.apps, 3)
length(var.apps)
length("héllo")
length(var.tags)
concat(var.apps, ["Pig"], [])
contains(var.apps, "Hive")
contains(["1", "2"], 1)
index(var.apps, "Hive")
distinct(["b", "a", "b"])
compact(["a", "", "b", null])
flatten([["a"], [["b"], []], "c"])
reverse(["a", "b"])
sort(["b", "B", "a", "10", "9"])
slice(["a", "b", "c"], 1, 3)
chunklist(["a", "b", "c"], 2)
keys(var.tags)
values(var.tags)
lookup(var.tags, "team", "x")
lookup(var.tags, "nope", "x")
merge(var.tags, { team = "other", n = "1" })
merge(var.tags, null)
zipmap(["a", "b"], [1, 2])
setunion(["b"], ["a"])
setintersection(["b", "a"], ["a"])
setsubtract(["b", "a"], ["a"])
setproduct(["a", "b"], ["c"])
transpose({ a = ["x", "y"], b = ["y"] })
matchkeys(["a", "b"], ["1", "2"], ["2"])
range(3)
range(1, 7, 2)
one([])
one(["a"])
sum([1, 2.5])
max(1, 5, 3)
min(1, 5, 3)
ceil(1.2)
floor(-1.2)
abs(-3)
pow(2, 10)
signum(-4)
parseint("ff", 16)
coalesce("", "b")
coalesce(null, var.empty, "c")
coalescelist([], ["a"])
try(var.cfg.nope, "fallback")
try(var.cfg.size, "fallback")
can(var.cfg.nope)
can(var.cfg.size)
alltrue([true, "true"])
anytrue([])
var.cfg
var.cfg.kind
var.cfg.more
var.cfg.more == null
local.prefix
local.sizes[local.env]
local.sizes.prod
local.twice
local.sizes["${local.env}"]
var.groups[*].type
var.groups.*.count
var.groups[1]["type"]
[for g in var.groups : g.type if g.count > 1]
{ for g in var.groups : g.type => g.count }
{ for k, v in var.tags : upper(k) => "${v}!" }
{ for g in var.groups : "all" => g.type... }
[for k, v in var.tags : "${k}=${v}"]
[for i, a in var.apps : "${i}:${a}"]
[for a in var.apps : { Name = a }]
format("%s-%03d", var.name, 7)
format("%5.2f%%", 3.14159)
format("%v %v", true, [1, "a"])
format("%q", "a\"b")
format("%x", 255)
format("%-5s|", "ab")
formatlist("s3://%s/%s", "b", ["x", "y"])
formatlist("%s", var.apps)
lower("ABC")
upper(var.name)
title("hello world")
trimspace("  a b \n")
trim("!!a!!", "!")
trimprefix("emr-6", "emr-")
trimsuffix("a.json", ".json")
chomp("a\n\n")
indent(2, "a\nb")
substr("hello", 1, 3)
substr("hello", -3, -1)
strrev("abc")
split(",", "a,b,,c")
startswith("emr-6", "emr")
endswith("emr-6", "7")
strcontains("abc", "b")
join("-", ["a", 1, true])
tostring(1.50)
tostring(true)
tostring(100)
tonumber("1.5")
tobool("true")
tomap({ a = 1, b = "x" })
jsonencode({ b = 1, a = "<x>", c = [true, null, 1.5] })
jsonencode({ n = var.n, name = var.name, apps = var.apps })
jsonencode([{ Classification = "spark", Properties = { "x.y" = "1" } }])
jsondecode("{\"a\": [1, 2.5, \"x\", null]}")
jsondecode(jsonencode(var.tags))["team"]
yamldecode(file("${path.module}/cluster.yaml"))
yamldecode("[1, 0o17, 0x1F, 1e3, .5, 5.0, 1_000, 12:30, ~, '', TRUE, 0b11]")
yamldecode("{1: a, true: b, \"yes\": 'no'}")
csvdecode(file("${path.module}/steps.csv"))
csvdecode("a,\r\n1, 2\r\n")
csvdecode("a\n")
csvdecode("a\n1\u20282\n")
base64encode("hello")
base64decode("aGVsbG8=")
md5("a")
sha1("a")
sha256("a")
urlencode("a b/c")
basename("a/b.txt")
dirname("a/b.txt")
"a$${b}"
"%%{if}"
"tab\there \u00e9 \\ \"q\""
"${upper("x")}-${lower("Y")}"
"${var.name == "etl" ? "b" : "c${var.n}"}"
"${join(",", ["a", "b"])}"
"n=${var.n}, flag=${var.flag}, half=${1 / 2}"
"%{ if var.flag }yes%{ else }no%{ endif }"
"%{ if !var.flag }yes%{ endif }"
"%{ for a in var.apps }${a};%{ endfor }"
"%{ for i, a in var.apps ~} ${i}${a} %{~ endfor }"
"a ${~ var.name ~} b"
<<EOF
x ${var.name}
 y "q" \n
EOF
<<-EOT
    a
      b ${var.n}

    c
EOT
<<-EOT
  %{ for a in var.apps ~}
  - ${a}
  %{ endfor ~}
  end
EOT
<<-EOT
${var.name}
  indented
EOT
nonsensitive("x")
"${null == null}"
[1, "a", true]
{ "a" : 1, b = 2, (var.name) = 3, "${var.name}2" = 4 }
{ a = { b = { c = 1 } } }.a.b.c
(var.n > 3 && var.n < 5) || false
var.n == 4 && var.name == "etl" ? "emr-7.5.0" : "emr-5.0.0"
lookup({ a = 1 }, "a")
keys({ b = 1, a = 2 })[0]
length([for a in var.apps : a if a != "Hive"])
templatefile("${path.module}/conf.tftpl", { bucket = "logs", props = { a = "1", b = "2" } })
file("${path.module}/plain.txt")
filemd5("plain.txt")
fileexists("nope.txt")
fileexists("plain.txt")
terraform.workspace
"${path.module}/x"
[for a in ["x", "y"] : [for b in ["1", "2"] : "${a}${b}"]]
tolist([for a in var.apps : lower(a)])[0]
element(split(".", "a.b.c"), 1)
split("-", var.name)[0]
sort(keys(merge({ z = 1 }, { y = 2 })))
trimspace(<<EOF
  x
EOF
)
var.empty != "" ? var.empty : "none"
var.empty == "" ? null : var.empty
false && var.nothing == "x"
[for s in toset(["b", "a"]) : s]
{ for s in toset(["b", "a"]) : s => length(s) }
"${1.0}"
1 == 1.0
"1" == "1.0"
"a" == "A"
null
[null, "a"]
var.tags["team"]
var.tags.cost
jsonencode("é ☃ \" \\ \n")
jsonencode({})
jsonencode(toset(["b", "a"]))
tostring(null)
"${""}x"
"\n ${~ "a" ~} \n b"
"e\u0301"
"é" == "e\u0301"
length("e\u0301")
basename("")
basename("/")
dirname("//a")
dirname("a/../b/./c")
coalesce(1, "a")
coalesce("", 5)
coalesce(true, "a")
compact([1, ""])
distinct([1, "1"])
distinct([true, "true"])
index([1, 2], 2)
format("%q", "<a>")
format("%#x", 255)
format("%.3g", 1234.5)
jsonencode(0.0000001)
jsonencode({ a = [0.0000001] })
matchkeys(["x", "y"], [1, 2], ["1"])
pow(1.1, 2)
pow(4, 0.5)
pow(2, -1)
range(-3)
range(4, 1)
range(5, 1, -2)
range(1, 1)
regexall("a*", "baac")
replace("baaac", "/a*/", "x")
replace("a1", "/\\d/", "$1")
replace("ab", "/(x)?b/", "[$1]")
replace("a.b", "/\\./", "\\")
regex("[[:alpha:]]+", "1abc")
regex("(?s)a.c", "a\nc")
regex("(a|ab)(c|bcd)", "abcd")
replace("aaaa", "/(a+)+$/", "b")
setintersection([1], ["1"])
setsubtract(["1"], [1])
setunion(["a"], [1])
setproduct(["a", 1], ["c"])
title("hello-world foo_bar o'neil s3://a.b")
true ? (1) : "${1}"
upper("straße")
"""

FILES = {
    "conf.tftpl": '[{"Properties":{%{ for k, v in props ~}"${k}":"${v}",%{ endfor ~}"l":"${bucket}"}}]\n',
    "plain.txt": "from the file\n",
    "cluster.yaml": "# the cluster\ncore: &core {type: r5.xlarge, count: 2}\ntask: *core\napps:\n- Spark\nnote: |\n  a\n  b\n",
    "steps.csv": 'name,args\n\n"load, first","a ""b""\nc"\nsum,\n',
}


def expressions():
    """The expressions, of which a heredoc takes several lines."""
    found, lines = [], EXPRESSIONS.strip("\n").split("\n")
    while lines:
        text = lines.pop(0)
        if "<<E" in text or "<<-E" in text:
            end = text.rpartition("<<")[2].lstrip("-").strip()
            while text.rpartition("\n")[2].strip() != end:
                text += f"\n{lines.pop(0)}"
            text += f"\n{lines.pop(0)}" if "(<<" in text else ""
        found.append(text)
    return found

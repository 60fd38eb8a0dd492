"""What the chemical gate knows: groups, classes, pairs and materials, each with why.

Data alone; `chemical_gate` reads it. Structures are SMARTS, matched with RDKit on the
SMILES of a liquid's solute, so a concentration is never considered: the gate judges
what is in the vial. Sources, quoted by their letter:

- [B] Bretherick's Handbook of Reactive Chemical Hazards, 8th ed., 2017: class entries.
- [U] UN Manual of Tests and Criteria, rev. 7, appendix 6, tables A6.1 and A6.2: groups
  that indicate explosive or self-reactive properties.
- [P] Prudent Practices in the Laboratory, National Research Council, 2011, chapter 6.
- [C] CAMEO Chemicals reactive groups, NOAA and EPA (water-reactive and pairs).
- [S] Manufacturers' resistance tables: Cole-Parmer, Bürkert, Victrex (PEEK), Schott
  (borosilicate), at room temperature, rating "not recommended".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Hazard:
    """A group that is refused outright where it stands ``least`` times."""

    smarts: str
    name: str
    reason: str
    kind: Literal["energetic", "water-reactive"]
    least: int = 1


def _energetic(smarts: str, name: str, reason: str, least: int = 1) -> Hazard:
    return Hazard(smarts, name, reason, "energetic", least)


def _wet(smarts: str, name: str, reason: str) -> Hazard:
    return Hazard(smarts, name, reason, "water-reactive")


_NITRO = "[N+](=O)[O-]"

HAZARDS: tuple[Hazard, ...] = (
    # contiguous nitrogens [U, B]
    _energetic("N~[N+;X2]~[N;X1]", "azide", "explodes when warmed, rubbed or acidified; with acid it gives hydrazoic acid"),
    _energetic("[#6]=[N+]=[N-]", "diazo compound", "loses nitrogen at once with acid, and may explode"),
    _energetic("[#6][N+]#[N;X1]", "diazonium salt", "explodes when it dries"),
    _energetic("[CX4][NX2]=[NX2][CX4]", "aliphatic azo compound", "decomposes by itself when warm, giving off nitrogen"),
    _energetic("[NX3][NX2]=[NX2]", "triazene or tetrazene", "loses nitrogen when warmed, and may explode"),
    _energetic("[#7]1~[#7]~[#7]~[#7]~[#6,#7]~1", "tetrazole or pentazole", "a ring of nitrogens, which explodes when heated or struck"),
    _energetic("[#7]1~[#7]~[#7]~[#6]~[#6]~1", "1,2,3-triazole", "three nitrogens in a row, which decompose violently when heated"),
    _energetic("[NX3,NX4+;H1,H2,H3;!$(NC=O);!$(NS=O)]-[NX3,NX4+;!$(NC=O);!$(NS=O)]", "hydrazine or hydrazinium", "burns without air and ignites with oxidisers"),
    # nitrogen and oxygen [U, B]
    _energetic(f"[#6][OX2]{_NITRO}", "nitrate ester", "an explosive of the kind of nitroglycerin"),
    _energetic("[#6][OX2][NX2]=O", "nitrite ester", "decomposes when warm, and may explode"),
    _energetic(f"[NX3;+0]{_NITRO}", "nitramine", "an explosive of the kind of RDX"),
    _energetic(f"c{_NITRO}", "polynitroaromatic", "three nitro groups or more: an explosive of the kind of picric acid and TNT", 3),
    _energetic(f"[CX4,CX3]({_NITRO}){_NITRO}", "gem-dinitro compound", "two nitro groups on one carbon: explodes when heated or struck"),
    _energetic(f"[CX4;H3]{_NITRO}", "nitromethane", "detonates when confined, and acids and amines make it more sensitive"),
    _energetic("[#6,#7;!$([N+])][NX2]=[OX1]", "nitroso compound", "decomposes violently when heated, and most are carcinogens"),
    _energetic(f"[O-][N+](=O)O{_NITRO}", "dinitrogen pentoxide", "a nitrating agent that explodes by itself"),
    _energetic("[NX3,NX4+;H2,H3][OX2;H1,H0]", "hydroxylamine", "its solutions have exploded when they dried or met iron"),
    _energetic("[#6;X1,X2;!$(C[#6])]#[N+][O-]", "fulminate", "a primary explosive"),
    _energetic(f"[NX4+;H4].[O-]{_NITRO}", "ammonium nitrate", "explodes when it dries with organic matter and is heated"),
    # contiguous oxygens [U, B]
    _energetic("[CX3](=O)[OX2][OX2H]", "peracid", "explodes when concentrated or warmed"),
    _energetic("[#6,Si,P][OX2,OX1-][OX2,OX1-]", "organic peroxide, hydroperoxide or ozonide", "explodes when it dries, is warmed or rubbed"),
    _energetic("[SX4](=O)(=O)([OX2H])[OX2][OX2H]", "peroxymonosulfuric acid", "sets fire to organic matter, or explodes with it"),
    _energetic("[OX2,OX1][OX2][OX2,OX1]", "trioxide", "three oxygens in a row, which explode by themselves"),
    # halogens on nitrogen and oxygen [U, B]
    _energetic("[NX3;+0][F,Cl,Br,I]", "N-halogen compound", "explodes with reducing agents; the simplest ones by themselves"),
    _energetic("[#6][OX2][F,Cl,Br,I;X1]", "hypohalite ester", "explodes in light or when warmed"),
    # Perchloric acid is among them, dilute or not: here a liquid is dried and heated
    # on an organic film, which is how perchlorates explode.
    _energetic("[Cl,Br;X4](~O)(~O)(~O)~O", "perchlorate or perchloric acid", "explodes with organic matter once it is dry and warm"),
    _energetic("[Cl,Br;X3](~O)(~O)~O", "chlorate or chloric acid", "explodes with organic matter, and with acid gives chlorine dioxide"),
    _energetic("[Cl,Br;X2](~O)~O", "chlorite or chlorine dioxide", "explodes with organic matter or with acid"),
    # carbon [U, B]
    _energetic("[C-]#[C,C-]", "acetylide", "explodes when dry, and with water gives acetylene"),
    _energetic("C#C[Cu,Ag,Au,Hg,Li,Na,K,Mg,Ca,Zn]", "metal acetylide", "explodes when dry or struck"),
    _energetic("C#C[F,Cl,Br,I]", "halogenated acetylene", "explodes by itself"),
    _energetic("[CX2;H1]#[CX2;H1]", "acetylene", "explodes under pressure, and gives explosive salts with copper and silver"),
    # acid halides and what is like them [C, P]
    _wet("[CX3](=[OX1])[F,Cl,Br,I]", "acyl halide", "boils up with water and gives off hydrogen halide"),
    _wet("[SX4](=O)(=O)[Cl,Br,I]", "sulfonyl halide, sulfuryl chloride or chlorosulfonic acid", "reacts violently with water and gives off hydrogen chloride"),
    _wet("[OX2H][SX4](=O)(=O)F", "fluorosulfonic acid", "reacts violently with water and gives off hydrogen fluoride"),
    _wet("[SX3](=O)[F,Cl,Br]", "thionyl or sulfinyl halide", "reacts violently with water and gives off sulfur dioxide and hydrogen chloride"),
    _wet("[SX2][Cl,Br]", "sulfur chloride", "reacts violently with water and gives off hydrogen chloride"),
    _wet("[Si][Cl,Br,I]", "chlorosilane", "fumes with moist air and gives off hydrogen chloride"),
    _wet("[P;+0][Cl,Br,I]", "phosphorus halide", "reacts violently with water and gives off hydrogen chloride"),
    _wet("[PX5;+0]F", "phosphorus pentafluoride", "gives off hydrogen fluoride with water"),
    _wet("[Al;X3,X4][Cl,Br,I]", "aluminium halide", "reacts violently with water and gives off hydrogen halide"),
    _wet("[BX3][F,Cl,Br,I]", "boron halide", "reacts violently with water and gives off hydrogen halide"),
    _wet("[B-](F)(F)(F)[O+]", "boron trifluoride complex", "fumes with moist air and gives off hydrogen fluoride"),
    _wet("[Ti,Zr,Hf,V,Sn,Ge;X4][Cl,Br,I]", "metal tetrahalide", "fumes with moist air and gives off hydrogen halide"),
    _wet("[Nb,Ta,Sb,As,Mo,W;X5,X6][F,Cl,Br]", "metal pentahalide or hexahalide", "reacts violently with water and gives off hydrogen halide"),
    # anhydrides and isocyanates [C]
    _wet("[NX2]=[CX2]=[OX1]", "isocyanate", "foams with water, giving off carbon dioxide, and is a strong poison"),
    _wet("[CX3]=[CX2]=[OX1]", "ketene", "reacts violently with water, and is a strong poison"),
    _wet("[SX4](=O)(=O)O[SX4](=O)=O", "sulfonic or sulfuric anhydride (oleum)", "reacts violently with water"),
    _wet("[SX3](=O)(=O)=O", "sulfur trioxide", "reacts explosively with water"),
    _wet("[CX3](=[OX1])O[CX3]=[OX1]", "carboxylic anhydride", "reacts with water, suddenly once acid is there"),
    _wet("[PX4](=O)(O[P])(O[P])O[P]", "phosphorus pentoxide", "reacts violently with water"),
    # metals, hydrides and strong bases [C, P]
    _wet("[#1-]", "ionic hydride", "gives off hydrogen with water, which catches fire"),
    _wet("[B-,Al-,Al;!H0;!$([B,Al]O)]", "complex hydride", "gives off hydrogen with water or acid, which catches fire"),
    _wet("[BX3]([CX4])([CX4])[CX4]", "trialkylborane", "catches fire in air"),
    _wet("[SiX4;H3,H4]", "silane", "catches fire in air"),
    _wet("[Li,Na,K,Rb,Cs,Mg,Ca,Sr,Ba;X0;+0]", "alkali or alkaline earth metal", "gives off hydrogen with water, which catches fire"),
    _wet("[#6][Li,Na,K,Mg,Al,Zn]", "organolithium, Grignard or other metal alkyl", "catches fire with water, most also in air"),
    _wet("[C-;X3;H2,H3].[Li+,Na+,K+,Mg+,Mg+2]", "metal alkyl", "catches fire with water, most also in air"),
    _wet("[NX2-;!$(N-[S,P,C]=O);!$(NC#N);!$(N=*);!$(NS(=O)=O)]", "metal amide", "reacts violently with water"),
    _wet("[P-3,N-3,As-3]", "phosphide, nitride or arsenide", "gives off a poisonous gas with water"),
    _wet("[O-][O-]", "metal peroxide", "gives off oxygen and heat with water, and sets fire to organic matter"),
    _wet("[O-2].[Ca+2,Ba+2,Sr+2,Na+,K+,Li+]", "oxide of an alkali or alkaline earth metal", "boils up with water"),
)  # fmt: skip

CLASSES: dict[str, tuple[str, ...]] = {
    "water": ("[OX2H2]",),
    "oxidising acid": (
        f"[OX2H]{_NITRO}", "[OX2H][NX2]=O", "[OX2H][Cl,Br,I]", "[OX2H][Cr,Mn]",
        "[OX2H][I,Cl,Br,I+3,Cl+3]~O", "[OX2H]S(=O)(=O)OO",
    ),
    "dehydrating acid": ("[OX2H][SX4](=O)(=O)[OX2H]",),
    "halide acid": ("[Cl,Br,I;H1]",),
    "acid": (
        "[CX3](=O)[OX2H]", "[S,Se](=O)[OX2H]", "P(=O)[OX2H]", f"[OX2H]{_NITRO}",
        "[OX2H][NX2]=O", "[F,Cl,Br,I;H1]", "[NX3;H1](S(=O)=O)S(=O)=O", "[#1+]",
        "[OX3H3+]", "[OX2H][Cl,Br,I,Cr,Mn]",
    ),
    "sulfonic acid": ("[#6][SX4](=O)(=O)[OX2H]",),
    "base": (
        "[OX1H1-]", "[OX1-][CX4]", "[O-]C(=O)[O-]", "[O-]C(=O)[OH]", "[NX3;H3]",
        "[NX3;+0;!$(N[C,S,P,N]=[O,S]);!$(NN);!$(NC#N);!$(N[a])][CX4]",
        "[nX2;r6]", "[NX3][#6]=[NX2]", "[nX2]1cc[nX3]c1",
    ),
    "strong base": ("[OX1H1-]", "[OX1-][CX4]"),
    "organic": ("[#6;!H0]", "[#6]~[#6]"),
    "oxidiser": (
        "[OX2H][OX2H]", "OO", "[O-][Cl,Br]", "[Mn](=O)=O", "[Cr](=O)=O", "[O-]I~O",
        "[I+,I+3]([O-])[O-]", "[F,Cl,Br,I][F,Cl,Br,I]",
        "[O-][Cl+,Cl+2,Cl+3]",
    ),
    "hypochlorite": ("[OX1-][Cl,Br;X1]", "[OX2H][Cl,Br;X1]"),
    "cyanide, sulfide, sulfite or nitrite": (
        "[CX1-]#N", "[CX2;H1]#N", "[S-2]", "[SX1;H1;-]", "[SX2;H2]", "[O-]S(=O)[O-,OH]",
        "[O-][NX2]=O",
    ),
    "reducing agent": (
        "[NX3][NX3]", "[SX2;H1]", "[I-]", "[O-]S(=O)[O-,OH]", "[PX4;!H0](=O)", "[PX3;!H0]",
    ),
    "fluoride": ("[F;H1]", "[F-]", "[B-](F)(F)(F)F", "[P-](F)(F)(F)(F)(F)F", "[Si-2](F)(F)F"),
    "halide": ("[Cl-]", "[Br-]", "[I-]", "[Cl,Br,I;H1]"),
    "perfluorinated acid": ("[OX2H]C(=O)C(F)F", "[OX2H]S(=O)(=O)C(F)F", "[NX3;H1](S(=O)=O)S(=O)=O"),
    "carboxylic acid": ("[CX3](=O)[OX2H]",),
    "ketone or ester": ("[#6][CX3](=O)[#6]", "[CX3](=O)[OX2][#6]"),
    "chlorinated solvent": ("[CX4,CX3,c][Cl,Br]",),
    "chloroform or alike": ("[CX4;H1]([Cl,Br,I])([Cl,Br,I])[Cl,Br,I]", "[CX4;H2]([Cl,Br,I])[Cl,Br,I]"),
    "hydrocarbon": ("[#6]",),  # and nothing else: see `chemical_gate.classes`
    "polar aprotic solvent": ("[CX3](=O)[NX3;H0]", "[CX4][SX3](=O)[CX4]"),
}  # fmt: skip
"""What a liquid is, by its structure; one liquid may be several."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two classes of liquids that must not meet, and what would come of it."""

    one: str
    other: str
    reason: str


# All from [P] table 4.12 to 4.14 and [C], unless [B] is said.
PAIRS: tuple[Pair, ...] = (
    Pair("oxidising acid", "organic", "an oxidising acid and an organic liquid heat up and may burn or explode"),
    Pair("oxidising acid", "base", "an acid and a base boil up"),
    Pair("oxidising acid", "reducing agent", "an oxidising acid and a reducing agent may burn or explode"),
    Pair("oxidising acid", "halide acid", "give off chlorine and nitrosyl chloride (aqua regia)"),
    Pair("oxidising acid", "halide", "give off chlorine, bromine or iodine"),
    Pair("oxidising acid", "dehydrating acid", "are nitrating acid, which makes explosives of organic matter"),
    Pair("dehydrating acid", "organic", "concentrated sulfuric acid heats up with an organic liquid and chars it, giving off gas"),
    Pair("dehydrating acid", "halide acid", "give off hydrogen halide"),
    Pair("dehydrating acid", "halide", "give off hydrogen halide"),
    Pair("dehydrating acid", "oxidiser", "are piranha solution or worse, which explodes with organic matter"),
    Pair("acid", "base", "an acid and a base boil up"),
    Pair("acid", "hypochlorite", "give off chlorine"),
    Pair("acid", "cyanide, sulfide, sulfite or nitrite", "give off a poisonous gas"),
    Pair("halide acid", "oxidiser", "give off chlorine, bromine or iodine"),
    Pair("oxidiser", "organic", "an oxidiser and an organic liquid may burn or explode, or form peroxides"),
    Pair("oxidiser", "reducing agent", "an oxidiser and a reducing agent may burn or explode"),
    Pair("hypochlorite", "base", "hypochlorite and ammonia or an amine give off chloramines"),
    Pair("strong base", "chloroform or alike", "a strong base and chloroform or its like react violently [B]"),
    Pair("water-reactive", "water", "react violently"),
    Pair("water-reactive", "acid", "react violently"),
    Pair("water-reactive", "base", "react violently"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """A material that liquids touch, and the classes that it does not stand [S]."""

    fails: dict[str, str]


_SWELLS = "swells and softens in it"
_DISSOLVES = "is attacked by it"
_CORRODES = "corrodes in it"
_ETCHES = "is etched by it"
_CRACKS = "becomes brittle and cracks"

MATERIALS: dict[str, Material] = {
    "borosilicate": Material({"fluoride": _ETCHES, "strong base": _ETCHES}),
    "glass": Material({"fluoride": _ETCHES, "strong base": _ETCHES}),
    "quartz": Material({"fluoride": _ETCHES, "strong base": _ETCHES}),
    "ceramic": Material({"fluoride": _ETCHES}),  # alumina, zirconia
    "sapphire": Material({"fluoride": _ETCHES}),
    "PTFE": Material({}),  # but alkali metals, which no liquid here may hold
    "PFA": Material({}),
    "FEP": Material({}),
    "ETFE": Material({"oxidising acid": _CRACKS}),
    "PCTFE": Material({"chlorinated solvent": _SWELLS}),
    "FFKM": Material({}),
    "PVDF": Material({"strong base": _CRACKS, "ketone or ester": _SWELLS, "polar aprotic solvent": _DISSOLVES}),
    "PEEK": Material({
        "dehydrating acid": "dissolves in concentrated sulfuric acid",
        "oxidising acid": _DISSOLVES, "sulfonic acid": "dissolves in it or is sulfonated",
        "fluoride": _DISSOLVES, "oxidiser": _DISSOLVES,
    }),
    "polypropylene": Material({
        "oxidising acid": _CRACKS, "dehydrating acid": _CRACKS,
        "hydrocarbon": _SWELLS, "chlorinated solvent": _SWELLS,
    }),
    "polyethylene": Material({
        "oxidising acid": _CRACKS, "dehydrating acid": _CRACKS,
        "hydrocarbon": _SWELLS, "chlorinated solvent": _SWELLS,
    }),
    "PVC": Material({
        "oxidising acid": _DISSOLVES, "dehydrating acid": _DISSOLVES, "ketone or ester": _SWELLS,
        "hydrocarbon": _SWELLS, "chlorinated solvent": _SWELLS, "polar aprotic solvent": _DISSOLVES,
    }),
    "FKM": Material({
        "ketone or ester": _SWELLS, "base": _CRACKS, "carboxylic acid": _SWELLS,
        "perfluorinated acid": _SWELLS, "polar aprotic solvent": _SWELLS, "fluoride": _CRACKS,
    }),
    "EPDM": Material({
        "hydrocarbon": _SWELLS, "chlorinated solvent": _SWELLS,
        "oxidising acid": _DISSOLVES, "dehydrating acid": _DISSOLVES,
    }),
    "silicone": Material({
        "oxidising acid": _DISSOLVES, "dehydrating acid": _DISSOLVES, "halide acid": _DISSOLVES,
        "sulfonic acid": _DISSOLVES, "perfluorinated acid": _DISSOLVES, "fluoride": _DISSOLVES,
        "strong base": _DISSOLVES, "hydrocarbon": _SWELLS, "chlorinated solvent": _SWELLS,
    }),
    "stainless steel": Material({
        "halide acid": _CORRODES, "halide": "pits in it", "fluoride": _CORRODES,
        "dehydrating acid": _CORRODES, "sulfonic acid": _CORRODES,
        "perfluorinated acid": _CORRODES, "hypochlorite": "pits in it",
    }),
}  # fmt: skip

"""Make the badge's font anew: ``python build_subset.py NotoSansCJK-Bold.ttc`` (needs fonttools; run by hand).

The source is the collection of Noto Sans CJK 2.004, as Debian's package fonts-noto-cjk installs it. The characters are
those that labels are worded with, so that an operator may reword one; other words need a font of the operator's own.
"""

import sys
from importlib import import_module
from pathlib import Path

from proxy.media.fonts import BADGE

SIMPLIFIED_CHINESE = 2  # the face's number in the collection

LATIN = "".join(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x100))))
# Of the letters beyond Latin-1, the source has those of Vietnamese, Russian and Greek without its accents; others it
# has one by one, and fonttools leaves out what is not there.
VIETNAMESE = "".join(map(chr, (*range(0x1EA0, 0x1EFA), 0x1A0, 0x1A1, 0x1AF, 0x1B0)))
EUROPEAN = "".join(map(chr, (*range(0x100, 0x180), *range(0x386, 0x3CF), *range(0x401, 0x460))))
PUNCTUATION = "–—―‘’“”†•…‧‰′″※€™←→、。々〈〉《》「」『』【】〔〕〖〗〜！（），．／：；？［］｛｜｝～￥·\u3000"
KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x309B, 0x309F), *range(0x30A1, 0x30FF))))
CHINESE = (
    "人工智能慧生成合成内容由本图圖片像照视視频頻影音声聲语語文字段章代码碼虚拟虛擬场場景数數字人疑似可能为為属於于屬标標识識模"
    "型辅助輔创創作编編辑輯制製修改仅僅供参考參请請注意甄别別经經部分含有是的此该該非真实實来來源自动動产產出品机機器深度仿换換"
    "脸臉配提示提醒已被用使与與和"
)
JAPANESE = "人工知能生成合成画像映像動画音声文章作成使用利用自動編集加工内容含可能性本物実在想定出力結果表示注意参考"
KOREAN = (
    "인공지능생성물합성이미지동영상음성텍스트콘텐츠제작만들어진으로가의은는을를에서사용된되었습니다입결과포함할수있편집변형"
    "가상자동표시안내참고용딥페이크실제아닌사진문장글됨됐함했임없않며면서와과도한해하여위따른통변경보정수정작업물품"
)


def main(collection: str) -> None:
    """Write the subset beside this file."""
    characters = LATIN + VIETNAMESE + EUROPEAN + PUNCTUATION + KANA + CHINESE + JAPANESE + KOREAN
    target = Path(__file__).with_name(BADGE)
    import_module("fontTools.subset").main(
        [
            collection,
            f"--font-number={SIMPLIFIED_CHINESE}",
            f"--output-file={target}",
            f"--unicodes={','.join(f'{ord(character):X}' for character in sorted(set(characters)))}",
            "--layout-features=",
            "--notdef-outline",
            "--drop-tables+=vhea,vmtx,VORG,BASE,GPOS,GSUB,GDEF,DSIG",
            "--name-IDs=0,1,2,3,4,5,6,7,13,14",
            "--name-languages=0x409",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1])

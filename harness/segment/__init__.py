"""From a solution's text to its steps, losing nothing: joining the steps gives back the text."""

from harness.segment.rules import CodeLines, Delimiter, Segmenter, Whole, parse

__all__ = ["CodeLines", "Delimiter", "Segmenter", "Whole", "parse"]

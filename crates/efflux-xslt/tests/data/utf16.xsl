<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="UTF-16"/><xsl:template match="/"><xsl:comment> ü </xsl:comment><xsl:processing-instruction name="go">now</xsl:processing-instruction><a><xsl:value-of select="//sku[contains(., 'ü')]"/></a></xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml"/><xsl:strip-space elements="*"/><xsl:preserve-space elements="para"/>
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template><xsl:template match="code/text()">[<xsl:value-of select="."/>]</xsl:template><xsl:template match="br"/>
</xsl:stylesheet>

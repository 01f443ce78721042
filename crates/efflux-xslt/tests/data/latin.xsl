<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" encoding="ISO-8859-1"/>
<xsl:template match="/"><skus><xsl:for-each select="//sku"><sku len="{string-length()}"><xsl:value-of select="."/> € – ä</sku></xsl:for-each></skus></xsl:template>
</xsl:stylesheet>
